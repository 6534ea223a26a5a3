"""Outbox entries: the records that a transaction left to publish."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson


@dataclass(frozen=True, slots=True)
class Record:
    """One record to produce."""

    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]

    @property
    def payload(self) -> bytes | None:
        """What is produced: clients refuse a record without key and value, so that gets b""."""
        return b"" if self.key is None and self.value is None else self.value


@dataclass(frozen=True, slots=True)
class OutboxEntry:
    """Records of one topic that a transaction left to publish."""

    id: int
    topic: str
    records: tuple[Record, ...]

    @property
    def tenant(self) -> str:
        """The tenant of a lane's entry: the first part of its records' keys."""
        return (self.records[0].key or b"").split(b":", 1)[0].decode(errors="replace")


def outbox_entries(rows: Sequence[Sequence[Any]] | None) -> list[OutboxEntry]:
    """Entries from the `[id, topic, messages]` rows that the statements return."""
    return [OutboxEntry(row[0], row[1], tuple(_record(*m) for m in row[2])) for row in rows or ()]


Text = str | Mapping[str, str | None] | None
"""Text as it is, or bytes as `{"base64": …}`."""


def _record(
    key: Text, value: Any, headers: Mapping[str, Text] | Sequence[tuple[str, Text]]
) -> Record:
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    return Record(
        _bytes(key),
        _value(value),
        tuple((name, _bytes(text)) for name, text in pairs),
    )


def _value(value: Any) -> bytes | None:
    """Text is base64; null is no value at all; everything else is JSON to be sent."""
    if isinstance(value, str):
        return base64.b64decode(value)
    return None if value is None else orjson.dumps(value)


def _bytes(text: Text) -> bytes | None:
    if isinstance(text, str):
        return text.encode()
    encoded = text.get("base64") if text else None
    return None if encoded is None else base64.b64decode(encoded)
