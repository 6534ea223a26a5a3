"""Templates: Jinja2 in a sandbox with a budget, `{{.Name}}` of Go too.

Compiled once, rendered often.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Any

from jinja2 import Template, TemplateError, TemplateSyntaxError, UndefinedError, meta
from jinja2.exceptions import SecurityError

from notistream.domain.go_syntax import GoSyntaxError, to_jinja
from notistream.domain.sandbox import HTML, TEXTS, Sandbox
from notistream.domain.sandbox_syntax import MAX_TOKENS, SyntaxRefused, optional_names

MAX_TEXT = 64_000
MAX_HTML = 100_000
CACHED = 1_500


class InvalidTemplateError(ValueError):
    """The template cannot be used; the message says why and where."""


class RenderError(ValueError):
    """The template could not be rendered with these variables; the message says why."""


@dataclass(frozen=True, slots=True)
class Compiled:
    """A template ready to render.

    Of `variables`, which it reads from outside, `required` ones cannot be left out.

    `tokens` are the words and signs of template syntax, which is what compiling takes time for.
    """

    template: Template
    variables: frozenset[str]
    required: frozenset[str]
    tokens: int


@lru_cache(maxsize=CACHED)
def compiled(source: str, *, html: bool = False) -> Compiled:
    """Compile, or answer from the cache; in HTML, values are escaped.

    Raises:
        InvalidTemplateError: the syntax is wrong, something is not allowed, or there is too much of
          it.
    """
    limit = MAX_HTML if html else MAX_TEXT
    if len(source) > limit:
        raise InvalidTemplateError(f"has {len(source)} characters; the limit is {limit}")
    sandbox = HTML if html else TEXTS
    try:
        jinja = to_jinja(source)
        return _compiled(sandbox, jinja, _tokens(sandbox, jinja))
    except TemplateSyntaxError as exc:
        raise InvalidTemplateError(f"line {exc.lineno}: {exc.message}") from None
    except (GoSyntaxError, SyntaxRefused) as exc:
        raise InvalidTemplateError(str(exc)) from None
    except (
        TemplateError,
        RecursionError,
        MemoryError,
        SyntaxError,
        ValueError,
        OverflowError,
    ) as exc:
        raise InvalidTemplateError(f"cannot be compiled: {exc}") from None


def _tokens(sandbox: Sandbox, jinja: str) -> int:
    """Counted before anything is built of them."""
    found = sum(1 for _ in islice(sandbox.lex(jinja), MAX_TOKENS + 1))
    if found > MAX_TOKENS:
        raise SyntaxRefused(f"has more than {MAX_TOKENS} words and signs of template syntax")
    return found


def _compiled(sandbox: Sandbox, jinja: str, tokens: int) -> Compiled:
    tree = sandbox.parse(jinja)
    optional = optional_names(tree)
    metered = sandbox.measured(tree)
    variables = frozenset(meta.find_undeclared_variables(metered))
    code = sandbox.compile(metered)
    return Compiled(Template.from_code(sandbox, code, {}), variables, variables - optional, tokens)


def missing(source: str, variables: Mapping[str, Any], *, html: bool = False) -> list[str]:
    """Names that the template needs and that are not given."""
    return sorted(compiled(source, html=html).required - variables.keys())


def render(source: str, variables: Mapping[str, Any], *, html: bool = False) -> str:
    """The text; the work that this takes is bounded, whatever the template and the values.

    Raises:
        RenderError: a variable is missing, something forbidden was tried, or the text is too long.
        InvalidTemplateError: the template itself is wrong.
    """
    template = compiled(source, html=html).template
    try:
        pieces = template.root_render_func(template.new_context(dict(variables)))
        return _sendable("".join(_bounded(pieces, MAX_HTML if html else MAX_TEXT)))
    except UndefinedError as exc:
        raise RenderError(f"missing variable: {exc.message}") from None
    except SecurityError as exc:
        raise RenderError(f"not allowed: {exc}") from None
    except RenderError:
        raise
    except Exception as exc:  # noqa: BLE001 - a template can raise anything; it is the template's fault
        raise RenderError(f"{type(exc).__name__}: {exc}"[:500]) from None


def _sendable(text: str) -> str:
    """Raise RenderError for what no channel can carry."""
    if "\x00" in text:
        raise RenderError("the text has a NUL character")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise RenderError("the text has half of a surrogate pair") from None
    return text


def _bounded(pieces: Iterator[str], limit: int) -> Iterator[str]:
    size = 0
    for piece in pieces:
        size += len(piece)
        if size > limit:
            raise RenderError(f"the text is longer than {limit} characters")
        yield piece
