"""Translates what is supported of Go's template syntax to Jinja2: `{{.Name}}`, `{{if .X}}` …."""

import re

PATH = re.compile(r"\.(?:[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)?\Z")
BLOCK = re.compile(r"(if|else if|range)\s+(\.\S*)\Z")
GO_ONLY = re.compile(
    r"\.[A-Za-z_]\S*\s|(?:if|with|range|len|printf|print|eq|ne|not|and|or|index)\b.*[\s(]\.\w|"
    r"(?:with|template|block|define)\s|\$\w*|range\s|if\s|/\*",
    re.DOTALL,
)


class GoSyntaxError(ValueError):
    """Go syntax that has no translation here; the message shows the Jinja2 form."""


def to_jinja(source: str) -> str:
    """The Jinja2 form of a template, in time that is linear in its length.

    What is not Go stays as it is.

    Raises:
        GoSyntaxError: other Go syntax, or a block that is not closed.
    """
    if "{{" not in source:
        return source
    go, done = _Go(), 0
    pieces: list[str] = []
    while (start := source.find("{{", done)) >= 0 and (end := source.find("}}", start)) >= 0:
        pieces += source[done:start], go.action(source[start : end + 2])
        done = end + 2
    if go.unclosed:
        raise GoSyntaxError("{{if}} or {{range}} without {{end}}")
    return "".join((*pieces, source[done:]))


class _Go:
    """Translates one action after the other; tracks the meaning of the dot and the open blocks."""

    def __init__(self) -> None:
        self._open: list[str] = []
        self._scopes: list[str | None] = [None]

    def action(self, whole: str) -> str:
        """One action with its braces; a minus inside them trims white space, in Go as in Jinja2."""
        inner = whole[2:-2]
        left, right = "-" * inner.startswith("-"), "-" * (inner.endswith("-") and inner != "-")
        code = self._translate(inner[len(left) : len(inner) - len(right)].strip())
        if code is None:
            return whole
        opening, said, closing = code
        return f"{opening}{left} {said} {right}{closing}"

    def _translate(self, body: str) -> tuple[str, str, str] | None:
        if PATH.match(body):
            return "{{", _dotted(body, self._scopes[-1]), "}}"
        if block := BLOCK.match(body):
            if not PATH.match(block[2]):
                raise GoSyntaxError(_hint(body))
            return "{%", self._begin(block[1], block[2]), "%}"
        if body in ("else", "end") and self._open:
            return "{%", "else" if body == "else" else self._end(), "%}"
        if GO_ONLY.match(body):
            raise GoSyntaxError(_hint(body))
        return None

    def _begin(self, word: str, path: str) -> str:
        value = _dotted(path, self._scopes[-1])
        if word == "else if":
            return f"elif {value}|default(false)"
        self._open.append(word)
        if word == "if":
            return f"if {value}|default(false)"
        item = f"item{len(self._scopes)}"
        self._scopes.append(item)
        return f"for {item} in {value}|default([])"

    def _end(self) -> str:
        if self._open.pop() == "if":
            return "endif"
        self._scopes.pop()
        return "endfor"

    @property
    def unclosed(self) -> bool:
        return bool(self._open)


def _dotted(path: str, scope: str | None) -> str:
    inner = path.removeprefix(".")
    if scope is None:
        return inner or "_"
    return f"{scope}.{inner}" if inner else scope


def _hint(body: str) -> str:
    return (
        f"{{{{{body[:100]}}}}} is Go syntax that is not supported; supported are {{{{.Name}}}},"
        " {{if .X}}, {{else}}, {{range .Xs}} and {{end}}. In Jinja2 write {{"
        " Name }}, {{ Name|upper }}, {% if X %}…{% endif %}, {% for x in Xs %}…{%"
        " endfor %}"
    )
