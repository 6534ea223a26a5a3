"""A call as a value: the request and how to read its answer."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar
from urllib.parse import quote
from uuid import UUID, uuid4

from notistream_client.loading import Reader

T = TypeVar("T")
API = "/api/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Generic[T]):
    """One request. With a `key` the service carries it out once, however often it arrives."""

    method: str
    path: str
    read: Reader[T]
    query: Mapping[str, Any] = field(default_factory=dict)
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    key: str | None = None
    changes: bool = True
    """False for a POST that has the same effect when it is repeated."""

    @property
    def safe(self) -> bool:
        """True when the call may be repeated although the first may have been carried out."""
        return self.method != "POST" or self.key is not None or not self.changes


def at(*segments: str | UUID) -> str:
    """The path of a resource; ids may contain any character."""
    return "/".join((API, *(_segment(str(segment)) for segment in segments)))


def _segment(text: str) -> str:
    """The escaped segment; an id of dots alone must not lead to the parent path."""
    return quote(text, safe="") if text.strip(".") else text.replace(".", "%2E")


def new_key() -> str:
    """A new Idempotency-Key; all attempts of one call share it."""
    return uuid4().hex


def content_of(call: Call[Any]) -> bytes | None:
    """The body as JSON, with datetimes and UUIDs as text."""
    return (
        None
        if call.body is None
        else json.dumps(call.body, default=_text, ensure_ascii=False).encode()
    )


def query_of(call: Call[Any]) -> list[tuple[str, str]]:
    """The query parameters: None is left out, a sequence repeats its name."""
    return [
        (name, _word(one))
        for name, value in call.query.items()
        for one in _several(value)
        if one is not None
    ]


def headers_of(call: Call[Any]) -> list[tuple[bytes, bytes]]:
    """The header fields as bytes, because recipient ids need not be ASCII."""
    named = {**call.headers}
    if call.body is not None:
        named["Content-Type"] = "application/json"
    if call.key is not None:
        named["Idempotency-Key"] = call.key
    return [(name.encode(), value.encode()) for name, value in named.items()]


def _several(value: Any) -> Sequence[Any]:
    return value if isinstance(value, Sequence) and not isinstance(value, str) else (value,)


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return _text(value) if isinstance(value, datetime | UUID) else str(value)


def _text(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(f"{type(value).__name__} cannot be sent as JSON")
