"""Dead letters: failed deliveries and undecodable records, kept until an operator replays or deletes them."""

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson

from notistream.db.pool import Queryable
from notistream.db.queries import load
from notistream.db.records import storable
from notistream.db.replay import Replayed
from notistream.kafka.records import BadRecord, FailedDelivery, Headers, OutboxEntry, outbox_entries

SQL = load("dead_letters")
NUL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """An entry as lists show it. One without a notification is an undecodable record."""

    id: UUID
    notification_id: UUID | None
    tenant_id: UUID | None
    channel: str
    reason: str
    attempts: int
    chain: int
    topic: str | None
    partition: int | None
    offset: int | None
    created_at: datetime
    replayed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeDeadLetter(DeadLetter):
    """An entry with its bytes and its history: every provider call of this chain and of those before."""

    key: bytes | None
    value: bytes | None
    headers: Headers
    history: Sequence[Mapping[str, Any]]
    notification_status: str | None
    """None: there is no such notification, or none any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which entries are meant; None means any."""

    tenant_id: UUID | None = None
    channel: str | None = None
    reason: str | None = None
    """Part of the reason, in any case."""
    notification_id: UUID | None = None
    template: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    replayed: bool | None = None

    def values(self) -> tuple[Any, ...]:
        """As the queries take them."""
        return (
            self.tenant_id,
            self.channel,
            self.reason,
            self.notification_id,
            self.template,
            self.since,
            self.until,
            self.replayed,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Prospect:
    """An entry and what decides whether a replay could queue it again."""

    letter: DeadLetter
    notification_status: str | None
    lost: bool
    """Its bytes were too large for Kafka, and are gone."""
    size: int
    """Of the record, in bytes."""


@dataclass(frozen=True, slots=True)
class Burials:
    """So many of a channel were buried in a span of time that begins `at`."""

    channel: str
    at: datetime
    count: int


@dataclass(frozen=True, slots=True)
class Kind:
    """So many entries of one channel have this reason."""

    channel: str
    reason: str
    undecodable: bool
    count: int


@dataclass(frozen=True, slots=True)
class Kinds:
    """So many entries in all, and the kinds that are the most of them."""

    total: int
    most: Sequence[Kind]


@dataclass(frozen=True, slots=True)
class Reference:
    """What a replay needs to know of an entry."""

    id: UUID
    notification_id: UUID | None
    chain: int


async def store_record(db: Queryable, record: BadRecord) -> list[OutboxEntry]:
    """Keep it as a dead letter, once per place; what is to be published for it."""
    about = {
        "dlq.topic": record.topic,
        "dlq.partition": str(record.partition),
        "dlq.offset": str(record.offset),
        "dlq.reason": storable(record.reason),
        "dlq.id": str(record.id),
    }
    found = _headers(record)
    row = await db.fetchrow(
        SQL["store_record"],
        record.id,
        record.channel,
        storable(record.reason),
        record.topic,
        record.partition,
        record.offset,
        record.key,
        record.value,
        found,
        [*found, *map(list, about.items())],
    )
    return outbox_entries(row["entries"]) if row else []


def _headers(record: BadRecord) -> list[list[Any]]:
    return [
        [storable(name), None if value is None else {"base64": base64.b64encode(value).decode()}]
        for name, value in record.headers
    ]


async def keep_records(db: Queryable, records: Sequence[BadRecord]) -> frozenset[UUID]:
    """Make sure that these are in the table; the ids of those that were not."""
    rows = await db.fetch(
        SQL["keep_records"],
        [r.id for r in records],
        [r.channel for r in records],
        [storable(r.reason) for r in records],
        [storable(r.topic) for r in records],
        [r.partition for r in records],
        [r.offset for r in records],
        [r.key for r in records],
        [r.value for r in records],
        [_json(_headers(r)) for r in records],
        [r.created_at for r in records],
    )
    return frozenset(row["id"] for row in rows)


async def keep_failures(db: Queryable, failures: Sequence[FailedDelivery]) -> frozenset[UUID]:
    """Make sure that these are in the table; the ids of those that were not."""
    rows = await db.fetch(
        SQL["keep_failures"],
        [f.id for f in failures],
        [f.notification_id for f in failures],
        [f.tenant_id for f in failures],
        [f.channel for f in failures],
        [storable(f.reason) or "failed" for f in failures],
        [f.attempts for f in failures],
        [f.chain for f in failures],
        [storable(f.topic) for f in failures],
        [f.partition for f in failures],
        [f.offset for f in failures],
        [f.key for f in failures],
        [_json(f.history) for f in failures],
        [f.created_at for f in failures],
    )
    return frozenset(row["id"] for row in rows)


def _json(value: Any) -> str:
    """As text, because an array of lists would get two dimensions.

    Without NUL, which jsonb cannot hold.
    """
    return NUL.sub(r"\1", orjson.dumps(value).decode())


async def list_page(
    db: Queryable, shown: Filter, *, before: UUID | None = None, limit: int
) -> list[DeadLetter]:
    """At most `limit`, newest first."""
    rows = await db.fetch(SQL["list"], before, *shown.values(), limit)
    return [DeadLetter(**dict(row)) for row in rows]


async def kinds(db: Queryable, meant: Filter, *, limit: int) -> Kinds:
    """How many there are, and at most `limit` kinds of them, the most frequent first."""
    rows = await db.fetch(SQL["kinds"], *meant.values(), limit)
    return Kinds(
        rows[0]["total"] if rows else 0,
        [Kind(row["channel"], row["reason"], row["undecodable"], row["count"]) for row in rows],
    )


async def over_time(
    db: Queryable, *, since: datetime, every: timedelta, channel: str | None = None
) -> Sequence[Burials]:
    """How many were buried, by channel and span of time."""
    return [Burials(**dict(row)) for row in await db.fetch(SQL["over_time"], since, every, channel)]


async def prospects(db: Queryable, ids: Sequence[UUID]) -> list[Prospect]:
    """Those of the ids that are there, newest first."""
    return [
        Prospect(
            letter=DeadLetter(**{name: row[name] for name in DeadLetter.__dataclass_fields__}),
            notification_status=row["notification_status"],
            lost=row["lost"],
            size=row["size"],
        )
        for row in await db.fetch(SQL["prospects"], ids)
    ]


async def next_references(
    db: Queryable, meant: Filter, *, after: UUID | None = None, limit: int
) -> list[Reference]:
    """At most `limit`, oldest first."""
    return [
        Reference(**dict(row)) for row in await db.fetch(SQL["next"], after, *meant.values(), limit)
    ]


async def references(db: Queryable, ids: Sequence[UUID]) -> list[Reference]:
    """Those of the ids that are there."""
    return [Reference(**dict(row)) for row in await db.fetch(SQL["references"], ids)]


async def get(db: Queryable, entry_id: UUID) -> WholeDeadLetter | None:
    """One that is not deleted."""
    row = await db.fetchrow(SQL["get"], entry_id)
    if row is None:
        return None
    shown = {name: row[name] for name in DeadLetter.__dataclass_fields__}
    return WholeDeadLetter(
        **shown,
        key=row["key"],
        value=row["value"],
        history=row["calls"] or [],
        notification_status=row["notification_status"],
        headers=[(name, _bytes(text)) for name, text in row["headers"]],
    )


def _bytes(text: Mapping[str, str] | str | None) -> bytes | None:
    if isinstance(text, str):
        return text.encode()
    return None if text is None else base64.b64decode(text["base64"])


async def replay_records(
    db: Queryable, ids: Sequence[UUID], *, prefix: str, largest: int
) -> Replayed:
    """Send undecodable records to the topics that they came from, at most once.

    `prefix` of the topics' names.
    """
    row = await db.fetchrow(SQL["replay_records"], ids, prefix, largest)
    assert row is not None
    return Replayed(frozenset(row["replayed"]), outbox_entries(row["entries"]))


async def mark_replayed(db: Queryable, ids: Sequence[UUID]) -> frozenset[UUID]:
    """Note that these were replayed in another way; not those that still could be."""
    return frozenset(row["id"] for row in await db.fetch(SQL["mark_replayed"], ids))


async def clock(db: Queryable) -> datetime:
    """The database's time."""
    row = await db.fetchrow(SQL["clock"])
    assert row is not None
    now: datetime = row["now"]
    return now


async def delete(db: Queryable, ids: Sequence[UUID]) -> frozenset[UUID]:
    """Clear and hide them; the ids of those that were there."""
    return frozenset(row["id"] for row in await db.fetch(SQL["delete"], ids))
