"""A call as a value: what is asked and how the answer is read, apart from who sends it."""

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
    """One request. With a `key` the service serves it once, however often it arrives."""

    method: str
    path: str
    read: Reader[T]
    query: Mapping[str, Any] = field(default_factory=dict)
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    key: str | None = None
    changes: bool = True
    """Of a POST: whether repeating it would do more than sending it once."""

    @property
    def safe(self) -> bool:
        """Whether it may be sent again when nobody knows if it was served."""
        return self.method != "POST" or self.key is not None or not self.changes


def at(*segments: str | UUID) -> str:
    """The path of a resource; ids may hold any character."""
    return "/".join((API, *(_segment(str(segment)) for segment in segments)))


def _segment(text: str) -> str:
    """Escaped; an id of only dots must not lead to the folder above."""
    return quote(text, safe="") if text.strip(".") else text.replace(".", "%2E")


def new_key() -> str:
    """An Idempotency-Key for one call, however often that is sent."""
    return uuid4().hex


def content_of(call: Call[Any]) -> bytes | None:
    """The body as JSON: moments and ids as text."""
    return (
        None
        if call.body is None
        else json.dumps(call.body, default=_text, ensure_ascii=False).encode()
    )


def query_of(call: Call[Any]) -> list[tuple[str, str]]:
    """The parameters; those that are None are left out, a sequence is repeated."""
    return [
        (name, _word(one))
        for name, value in call.query.items()
        for one in _several(value)
        if one is not None
    ]


def headers_of(call: Call[Any]) -> list[tuple[bytes, bytes]]:
    """Header fields; recipient ids may be beyond ASCII."""
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
