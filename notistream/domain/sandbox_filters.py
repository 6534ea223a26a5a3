"""Filters, tests and methods that a template may use.

None takes more time than its values' size, times a few.
"""

from collections.abc import Callable, Mapping
from typing import Any, cast

from jinja2 import Undefined
from jinja2.exceptions import SecurityError
from jinja2.filters import FILTERS as BUILT_IN
from jinja2.runtime import LoopContext
from jinja2.tests import TESTS as BUILT_IN_TESTS

Function = Callable[..., Any]
VIEWS: tuple[type, ...] = (type({}.keys()), type({}.values()), type({}.items()))
MAX_TEXT = 100_000
MAX_PIECES = 100
MAX_PRECISION = 20


def _built_in(name: str) -> Function:
    """Jinja2's own, without the layer that serves asynchronous templates too."""
    func: Function = BUILT_IN[name]
    return func.__wrapped__ if getattr(func, "jinja_async_variant", False) else func  # type: ignore[attr-defined]


def _built_in_test(name: str) -> Function:
    func: Any = BUILT_IN_TESTS[name]
    return cast("Function", func)


def length_of(value: object) -> int:
    return len(value) if isinstance(value, str | list | tuple | dict) else 1


def _trim(value: Any) -> Any:
    return value.strip() if isinstance(value, str) else str(value).strip()


def _replace(value: Any, old: str, new: str) -> str:
    text = str(value)
    if len(text) + text.count(old) * len(new) > MAX_TEXT:
        raise SecurityError("replace would make the text too long")
    return text.replace(old, new)


def _join(values: Any, separator: str = "", attribute: str | None = None) -> str:
    size, texts = 0, []
    for value in values:
        one = value if attribute is None else value[attribute]
        if isinstance(one, Undefined):
            str(one)
        texts.append(one if isinstance(one, str) else str(one))
        size += len(texts[-1]) + len(separator)
        if size > MAX_TEXT:
            raise SecurityError("join would make the text too long")
    return separator.join(texts)


def _joined_by(separator: str, values: Any) -> str:
    return _join(values, separator)


def _round(value: Any, precision: Any = 0, method: str = "common") -> Any:
    if not isinstance(precision, int) or abs(precision) > MAX_PRECISION:
        raise SecurityError(f"round knows at most {MAX_PRECISION} places")
    return _built_in("round")(value, precision, method)


def _sum(values: Any, attribute: str | None = None, start: Any = 0) -> Any:
    total = start
    for value in values:
        one = value if attribute is None else value[attribute]
        if not isinstance(one, int | float) or not isinstance(total, int | float):
            raise SecurityError("sum adds numbers only")
        total += one
    return total


def _pieces(name: str) -> Function:
    def cut(value: Any, count: Any, fill_with: Any = None) -> Any:
        if not isinstance(count, int) or not 1 <= count <= MAX_PIECES:
            raise SecurityError(f"{name} takes a number from 1 to {MAX_PIECES}")
        return _built_in(name)(value, count, fill_with)

    return cut


FREE: Mapping[str, Function] = {
    name: _built_in(name) for name in ("count", "d", "default", "length")
}
"""They look at no more than the outside of a value."""
FILTERS: Mapping[str, Function] = {
    **{
        name: _built_in(name)
        for name in (
            "abs",
            "capitalize",
            "dictsort",
            "e",
            "escape",
            "float",
            "int",
            "items",
            "list",
            "lower",
            "reverse",
            "safe",
            "string",
            "title",
            "upper",
            "urlencode",
            "wordcount",
        )
    },
    "batch": _pieces("batch"),
    "join": _join,
    "replace": _replace,
    "round": _round,
    "slice": _pieces("slice"),
    "sum": _sum,
    "trim": _trim,
}
OF_ENVIRONMENT: Mapping[str, Function] = {
    name: _built_in(name)
    for name in ("first", "groupby", "last", "max", "min", "sort", "truncate", "unique")
}
OF_CONTEXT: Mapping[str, Function] = {
    name: _built_in(name) for name in ("map", "reject", "rejectattr", "select", "selectattr")
}
NAMES = frozenset((*FREE, *FILTERS, *OF_ENVIRONMENT, *OF_CONTEXT))
FREE_TESTS: Mapping[str, Function] = {
    name: _built_in_test(name)
    for name in (
        "boolean",
        "defined",
        "false",
        "float",
        "integer",
        "iterable",
        "mapping",
        "none",
        "number",
        "sequence",
        "string",
        "true",
        "undefined",
    )
}
TESTS: Mapping[str, Function] = {
    name: _built_in_test(name)
    for name in (
        "divisibleby",
        "even",
        "lower",
        "odd",
        "upper",
        "in",
        "==",
        "eq",
        "equalto",
        "!=",
        "ne",
        ">",
        "gt",
        "greaterthan",
        ">=",
        "ge",
        "<",
        "lt",
        "lessthan",
        "<=",
        "le",
    )
}
TEXT_METHODS: Mapping[str, Function] = {
    **{
        name: getattr(str, name)
        for name in ("upper", "lower", "title", "capitalize", "startswith", "endswith", "split")
    },
    "strip": lambda value: value.strip(),
    "lstrip": lambda value: value.lstrip(),
    "rstrip": lambda value: value.rstrip(),
    "replace": _replace,
    "join": _joined_by,
}
OBJECT_METHODS: Mapping[str, Function] = {
    name: getattr(dict, name) for name in ("items", "keys", "values", "get")
}
LOOP_METHODS: Mapping[str, Function] = {
    name: getattr(LoopContext, name) for name in ("cycle", "changed")
}
