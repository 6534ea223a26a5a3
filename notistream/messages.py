"""What travels on Kafka: names of topics, the versioned wake-up message, outbox entries."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal
from uuid import UUID

import orjson
from pydantic import Field, TypeAdapter, ValidationError

from notistream.domain.notification import CHANNELS, Priority

EVENTS = "events"
LANES: tuple[tuple[str, Priority], ...] = tuple((c, p) for c in CHANNELS for p in Priority)


def lane_topic(channel: str, priority: str) -> str:
    """Topic of a lane, without the prefix."""
    return f"{channel}.{priority}"


def retry_topic(channel: str) -> str:
    return f"{channel}.retry"


def dlq_topic(channel: str) -> str:
    return f"{channel}.dlq"


TOPICS: tuple[str, ...] = (
    *(lane_topic(c, p) for c, p in LANES),
    *(retry_topic(c) for c in CHANNELS),
    *(dlq_topic(c) for c in CHANNELS),
    EVENTS,
)


@dataclass(frozen=True, slots=True)
class WakeUp:
    """A notification is queued (or due at `due_at`, seconds since 1970); everything else is in PostgreSQL.

    Unknown fields of a newer version survive: they are ignored, and `v` says when they may not be.
    """

    id: UUID
    seq: Annotated[int, Field(ge=1, le=2**31 - 1)]
    v: Literal[1]
    due_at: float | None = None


WAKE_UP = TypeAdapter(WakeUp)


class UndecodableError(ValueError):
    """A record that is not one of ours, with the reason in words."""


def decode_wake_up(value: bytes | None) -> WakeUp:
    """The message of a record's bytes.

    Raises:
        UndecodableError: no bytes, not JSON, a missing or wrong field, or an unknown version.
    """
    if value is None:
        raise UndecodableError("the record has no value")
    try:
        return WAKE_UP.validate_json(value)
    except ValidationError as exc:
        first = exc.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "value"
        raise UndecodableError(f"{where}: {first['msg']}") from None


@dataclass(frozen=True, slots=True)
class Record:
    """One record to produce."""

    key: bytes | None
    value: bytes
    headers: tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True)
class OutboxEntry:
    """Records of one topic that a transaction left to publish."""

    id: int
    topic: str
    records: tuple[Record, ...]


def outbox_entries(rows: Sequence[Sequence[Any]] | None) -> list[OutboxEntry]:
    """Entries from the `[id, topic, messages]` rows that the statements return."""
    return [OutboxEntry(row[0], row[1], tuple(_record(*m) for m in row[2])) for row in rows or ()]


Text = str | Mapping[str, str] | None
"""Text as it is, or bytes as `{"base64": …}`."""


def _record(key: Text, value: Any, headers: Mapping[str, Text] | Sequence[tuple[str, Text]]) -> Record:
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    return Record(
        _bytes(key),
        base64.b64decode(value) if isinstance(value, str) else orjson.dumps(value),
        tuple((name, _bytes(text) or b"") for name, text in pairs),
    )


def _bytes(text: Text) -> bytes | None:
    if isinstance(text, str):
        return text.encode()
    return base64.b64decode(text["base64"]) if text and text.get("base64") else None
