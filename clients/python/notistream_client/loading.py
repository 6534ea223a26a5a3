"""Reads JSON into frozen dataclasses; unknown fields are ignored, missing ones get defaults."""

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from functools import cache
from types import UnionType
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from notistream_client.answers import Page
from notistream_client.errors import UnexpectedAnswer

T = TypeVar("T")
Reader = Callable[[Any], T]


def one(kind: type[T]) -> Reader[T]:
    """Reads a dataclass; the reader raises UnexpectedAnswer."""

    def read(value: Any) -> T:
        try:
            return cast("T", _load(kind, value))
        except (TypeError, ValueError, KeyError, AttributeError) as exc:
            raise UnexpectedAnswer(f"this is no {kind.__name__}: {exc}") from exc

    return read


def page(kind: type[T]) -> Reader[Page[T]]:
    """Reads a page of dataclasses; the reader raises UnexpectedAnswer."""

    def read(value: Any) -> Page[T]:
        if not isinstance(value, Mapping) or not isinstance(value.get("data"), list):
            raise UnexpectedAnswer(f"this is no page of {kind.__name__}")
        return Page(data=tuple(map(one(kind), value["data"])), next_cursor=value.get("next_cursor"))

    return read


def nothing(_: Any) -> None:
    """Reads an answer without a body."""


def _load(kind: Any, value: Any) -> Any:
    if value is None:
        return None
    if is_dataclass(kind):
        return _record(kind, value)
    if kind is datetime:
        return datetime.fromisoformat(value)
    return _composed(get_origin(kind), get_args(kind), value)


def _composed(origin: Any, inner: tuple[Any, ...], value: Any) -> Any:
    if origin in (Union, UnionType):
        return _load(_fitting(inner, value), value)
    if origin is tuple:
        return tuple(_load(inner[0], item) for item in value)
    if origin is Mapping:
        return {name: _load(inner[1], item) for name, item in value.items()}
    return value


def _record(kind: Any, value: Any) -> Any:
    if not isinstance(value, Mapping):
        raise TypeError(f"it is {type(value).__name__}, not an object")
    return kind(
        **{
            name: _load(hint, value[name])
            for name, hint in _hints(cast("type", kind))
            if name in value
        }
    )


def _fitting(kinds: tuple[Any, ...], value: Any) -> Any:
    """The first dataclass whose required fields are all present.

    Otherwise the first kind that is not None.
    """
    some = [kind for kind in kinds if kind is not type(None)]
    if not isinstance(value, Mapping):
        return some[0]
    return next(
        (
            kind
            for kind in some
            if is_dataclass(kind) and _needed(cast("type", kind)) <= value.keys()
        ),
        some[0],
    )


@cache
def _hints(kind: type) -> tuple[tuple[str, Any], ...]:
    hints = get_type_hints(kind)
    return tuple((field.name, hints[field.name]) for field in fields(kind))


@cache
def _needed(kind: type) -> frozenset[str]:
    """The fields without a default; no field has a default factory."""
    return frozenset(field.name for field in fields(kind) if field.default is field.default_factory)
