"""Templates: sandboxed Jinja2, with the Go style `{{.Name}}` translated to it."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError, UndefinedError, meta, nodes
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

MAX_RENDERED = 64_000
MAX_SOURCE = 64_000
MAX_CONCATENATIONS = 32
MAX_LOOP_DEPTH = 2
ACTION = re.compile(r"\{\{(-?)\s*(.*?)\s*(-?)\}\}", re.DOTALL)
PATH = re.compile(r"\.(?:[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)?\Z")
IF = re.compile(r"(if|else if|range)\s+(\.\S*)\Z")
GO_ONLY = re.compile(r"\.[A-Za-z_]\S*\s|(?:if|with|range|len|printf|print|eq|ne|not|and|or|index)\b.*[\s(]\.\w|"
                     r"(?:with|template|block|define)\s|\$\w*|range\s|if\s")


class InvalidTemplateError(ValueError):
    """The template cannot be used; the message says why and where."""


class RenderError(ValueError):
    """The template could not be rendered with these variables; the message says why."""


class _Sandbox(ImmutableSandboxedEnvironment):
    """No access to internals, no way to build a huge value from a small one."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        if operator == "+" and not isinstance(left, int | float):
            return _bounded_text(left) + _bounded_text(right)
        plain = isinstance(left, int | float) and isinstance(right, int | float)
        if not plain or operator == "**" or abs(left) > 10**12 or abs(right) > 10**12:
            raise SecurityError(f"{operator} is allowed between plain numbers only")
        return super().call_binop(context, operator, left, right)


def _bounded_text(value: Any) -> str:
    text = str(value)
    if len(text) > MAX_RENDERED:
        raise SecurityError(f"a text of more than {MAX_RENDERED} characters cannot be built on")
    return text


def _replace(value: Any, old: str, new: str) -> str:
    text = _bounded_text(value)
    if len(text) + text.count(old) * len(new) > 2 * MAX_RENDERED:
        raise SecurityError("replace would make the text too long")
    return text.replace(old, new)


def _join(values: Iterable[Any], separator: str = "") -> str:
    size, texts = 0, []
    for value in values:
        texts.append(_bounded_text(value))
        size += len(texts[-1]) + len(separator)
        if size > 2 * MAX_RENDERED:
            raise SecurityError("join would make the text too long")
    return separator.join(texts)


def _refuse_growth(tree: nodes.Template) -> None:
    """Refuse what makes much of little: assignments, deep loops, long concatenations."""
    if next(tree.find_all((nodes.Assign, nodes.AssignBlock, nodes.Macro, nodes.CallBlock, nodes.Block)), None):
        raise InvalidTemplateError("set, macro, call and block are not supported")
    joined = sum(len(node.nodes) - 1 for node in tree.find_all(nodes.Concat))
    if joined + sum(1 for _ in tree.find_all(nodes.Add)) > MAX_CONCATENATIONS:
        raise InvalidTemplateError(f"has more than {MAX_CONCATENATIONS} concatenations")
    if any(_depth(loop) > MAX_LOOP_DEPTH for loop in tree.find_all(nodes.For)):
        raise InvalidTemplateError(f"has loops more than {MAX_LOOP_DEPTH} deep")


def _depth(loop: nodes.For) -> int:
    return 1 + max((_depth(inner) for inner in loop.find_all(nodes.For)), default=0)


def _environment(*, autoescape: bool) -> _Sandbox:
    env = _Sandbox(undefined=StrictUndefined, autoescape=autoescape, keep_trailing_newline=True)
    env.globals.clear()
    for name in ("center", "format", "indent", "wordwrap", "pprint", "xmlattr", "random", "tojson", "filesizeformat"):
        env.filters.pop(name, None)
    env.filters.update(replace=_replace, join=_join)
    return env


TEXT = _environment(autoescape=False)


def _dotted(path: str, scope: str | None) -> str:
    inner = path.removeprefix(".")
    if scope is None:
        return inner or "_"
    return f"{scope}.{inner}" if inner else scope


class _Go:
    """Translates Go actions to Jinja2, tracking what the dot means and which blocks are open."""

    def __init__(self) -> None:
        self._open: list[str] = []
        self._scopes: list[str | None] = [None]

    def action(self, match: "re.Match[str]") -> str:
        left, body, right = match.groups()
        code = self._translate(body)
        if code is None:
            return match.group(0)
        start, end = code
        return f"{start[:2]}{left}{start[2:]}{end[:-2]}{right}{end[-2:]}"

    def _translate(self, body: str) -> tuple[str, str] | None:
        if PATH.match(body):
            return "{{ " + _dotted(body, self._scopes[-1]), " }}"
        if block := IF.match(body):
            if not PATH.match(block[2]):
                raise InvalidTemplateError(_hint(body))
            return self._begin(block[1], block[2])
        if body in ("else", "end") and self._open:
            return self._else() if body == "else" else self._end()
        if GO_ONLY.match(body):
            raise InvalidTemplateError(_hint(body))
        return None

    def _begin(self, word: str, path: str) -> tuple[str, str]:
        value = _dotted(path, self._scopes[-1])
        if word == "else if":
            return "{% elif " + f"{value}|default(false)", " %}"
        if word == "if":
            self._open.append("if")
            return "{% if " + f"{value}|default(false)", " %}"
        item = f"item{len(self._scopes)}"
        self._open.append("for")
        self._scopes.append(item)
        return "{% for " + f"{item} in {value}|default([])", " %}"

    def _else(self) -> tuple[str, str]:
        return "{% else", " %}"

    def _end(self) -> tuple[str, str]:
        kind = self._open.pop()
        if kind == "for":
            self._scopes.pop()
        return "{% end" + kind, " %}"

    @property
    def unclosed(self) -> bool:
        return bool(self._open)


def _hint(body: str) -> str:
    return (
        f"{{{{{body}}}}} is Go syntax that is not supported; supported are {{{{.Name}}}}, {{{{if .X}}}}, "
        "{{else}}, {{range .Xs}} and {{end}}. In Jinja2 write {{ Name }}, {{ Name|upper }}, "
        "{% if X %}…{% endif %}, {% for x in Xs %}…{% endfor %}"
    )


def to_jinja(source: str) -> str:
    """The Jinja2 form of a template that may use Go's `{{.Name}}`, `{{if .X}}`, `{{range .Xs}}`.

    Raises:
        InvalidTemplateError: other Go syntax, or a block that is not closed.
    """
    go = _Go()
    translated = ACTION.sub(go.action, source)
    if go.unclosed:
        raise InvalidTemplateError("{{if}} or {{range}} without {{end}}")
    return translated


@dataclass(frozen=True, slots=True)
class Compiled:
    """A template ready to render; `variables` are the names it reads from outside."""

    template: Any
    variables: frozenset[str]


@lru_cache(maxsize=512)
def compiled(source: str) -> Compiled:
    """Compile, or answer from the cache.

    Raises:
        InvalidTemplateError: the syntax is wrong, or the source is too long.
    """
    if len(source) > MAX_SOURCE:
        raise InvalidTemplateError(f"has {len(source)} characters; the limit is {MAX_SOURCE}")
    jinja = to_jinja(source)
    try:
        tree = TEXT.parse(jinja)
        _refuse_growth(tree)
        return Compiled(TEXT.from_string(jinja), frozenset(meta.find_undeclared_variables(tree)))
    except TemplateSyntaxError as exc:
        raise InvalidTemplateError(f"line {exc.lineno}: {exc.message}") from None
    except (TemplateError, RecursionError, MemoryError, SyntaxError) as exc:
        raise InvalidTemplateError(f"cannot be compiled: {exc}") from None


def missing(source: str, variables: Mapping[str, Any]) -> list[str]:
    """Names that the template reads and that are not given."""
    return sorted(compiled(source).variables - variables.keys())


def render(source: str, variables: Mapping[str, Any]) -> str:
    """The text.

    Raises:
        RenderError: a variable is missing, something forbidden was tried, or the text is too long.
        InvalidTemplateError: the template itself is wrong.
    """
    pieces = compiled(source).template.generate(**{str(k): v for k, v in variables.items()})
    try:
        return _sendable("".join(_bounded(pieces)))
    except UndefinedError as exc:
        raise RenderError(f"missing variable: {exc.message}") from None
    except SecurityError as exc:
        raise RenderError(f"not allowed: {exc}") from None
    except RenderError:
        raise
    except Exception as exc:  # noqa: BLE001 - a template can raise anything; it is the template's fault
        raise RenderError(f"{type(exc).__name__}: {exc}") from None


def _sendable(text: str) -> str:
    """Raise RenderError for what no channel can carry."""
    if "\x00" in text:
        raise RenderError("the text has a NUL character")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise RenderError("the text has half of a surrogate pair") from None
    return text


def _bounded(pieces: Iterator[str]) -> Iterator[str]:
    size = 0
    for piece in pieces:
        size += len(piece)
        if size > MAX_RENDERED:
            raise RenderError(f"the text is longer than {MAX_RENDERED} characters")
        yield piece
