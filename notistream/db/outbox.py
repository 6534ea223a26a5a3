"""The outbox: what a commit left for Kafka, until the broker has acknowledged it."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from notistream.db.pool import Queryable
from notistream.db.queries import load
from notistream.db.records import storable
from notistream.messages import OutboxEntry, outbox_entries

SQL = load("outbox")


async def delete(db: Queryable, ids: Sequence[int]) -> None:
    """Forget entries that the broker has acknowledged."""
    await db.fetch(SQL["delete"], ids)


async def take_leftovers(db: Queryable, *, limit: int) -> list[OutboxEntry]:
    """Entries that nobody published in time, hidden from other takers for 10 s."""
    rows = await db.fetch(SQL["take_leftovers"], limit)
    return outbox_entries([(row["id"], row["topic"], row["messages"]) for row in rows])


@dataclass(frozen=True, slots=True, kw_only=True)
class BadRecord:
    """A record that could not be decoded: where it lay, its bytes, and what is wrong with it."""

    id: UUID
    channel: str
    reason: str
    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


async def bury_record(db: Queryable, record: BadRecord) -> list[OutboxEntry]:
    """Keep it as a dead letter, once per place; what is to be published for it."""
    found = [[storable(name), {"base64": base64.b64encode(value).decode()}] for name, value in record.headers]
    about = {
        "dlq.topic": record.topic, "dlq.partition": str(record.partition), "dlq.offset": str(record.offset),
        "dlq.reason": storable(record.reason), "dlq.id": str(record.id),
    }
    row = await db.fetchrow(
        SQL["bury_record"], record.id, record.channel, storable(record.reason), record.topic, record.partition,
        record.offset, record.key, record.value or b"", found, [*found, *map(list, about.items())],
    )
    return outbox_entries(row["entries"]) if row else []


async def backlog(db: Queryable) -> tuple[int, float]:
    """How many entries wait, and the age of the oldest in seconds."""
    row = await db.fetchrow(SQL["backlog"])
    assert row is not None
    return row["entries"], row["oldest_s"]
