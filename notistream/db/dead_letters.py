"""Dead letters: failed deliveries and undecodable records, to be replayed or deleted."""

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson

from notistream.db.pool import Queryable
from notistream.db.queries import load, named
from notistream.db.records import storable
from notistream.db.replay import Replayed
from notistream.kafka.dead_letter import BadRecord, FailedDelivery, Headers
from notistream.kafka.outbox import OutboxEntry, outbox_entries

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
    """An entry with its bytes and every provider call of this chain and earlier ones."""

    key: bytes | None
    value: bytes | None
    headers: Headers
    history: Sequence[Mapping[str, Any]]
    notification_status: str | None
    """None: the notification does not exist, or no longer."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Prospect:
    """An entry and what decides whether a replay could queue it again."""

    letter: DeadLetter
    notification_status: str | None
    lost: bool
    """Its bytes were too large for Kafka and are lost."""
    size: int
    """Of the record, in bytes."""


@dataclass(frozen=True, slots=True)
class DeadLetterCount:
    """How many of a channel were dead-lettered in a span of time that begins `at`."""

    channel: str
    at: datetime
    count: int


@dataclass(frozen=True, slots=True)
class Kind:
    """How many entries of one channel have this reason."""

    channel: str
    reason: str
    undecodable: bool
    count: int


@dataclass(frozen=True, slots=True)
class Kinds:
    """How many entries there are, and the most frequent kinds of them."""

    total: int
    most: Sequence[Kind]


@dataclass(frozen=True, slots=True)
class Reference:
    """What a replay needs to know of an entry."""

    id: UUID
    notification_id: UUID | None
    chain: int


async def store_record(db: Queryable, record: BadRecord) -> list[OutboxEntry]:
    """Store it as a dead letter, once for each place on Kafka; what is to be published."""
    about = {
        "dlq.topic": record.topic,
        "dlq.partition": str(record.partition),
        "dlq.offset": str(record.offset),
        "dlq.reason": storable(record.reason),
        "dlq.id": str(record.id),
    }
    found = _headers(record)
    row = await db.fetchrow(
        *SQL["store_record"](
            id=record.id,
            channel=record.channel,
            reason=storable(record.reason),
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            key=record.key,
            value=record.value,
            headers=found,
            published_headers=[*found, *map(list, about.items())],
        ),
    )
    return outbox_entries(row["entries"]) if row else []


def _headers(record: BadRecord) -> list[list[Any]]:
    return [
        [storable(name), None if value is None else {"base64": base64.b64encode(value).decode()}]
        for name, value in record.headers
    ]


async def keep_records(db: Queryable, records: Sequence[BadRecord]) -> frozenset[UUID]:
    """Store those that are not stored yet; their ids."""
    rows = await db.fetch(*SQL["keep_records"](records=[_record_row(record) for record in records]))
    return frozenset(row["id"] for row in rows)


async def keep_failures(db: Queryable, failures: Sequence[FailedDelivery]) -> frozenset[UUID]:
    """Store those that are not stored yet; their ids."""
    rows = await db.fetch(
        *SQL["keep_failures"](failures=[_failure_row(failure) for failure in failures])
    )
    return frozenset(row["id"] for row in rows)


def _record_row(record: BadRecord) -> Mapping[str, Any]:
    return {
        "id": record.id,
        "channel": record.channel,
        "reason": storable(record.reason),
        "topic": storable(record.topic),
        "partition": record.partition,
        "offset": record.offset,
        "key": record.key,
        "value": record.value,
        "headers": _json(_headers(record)),
        "created_at": record.created_at,
    }


def _failure_row(failure: FailedDelivery) -> Mapping[str, Any]:
    return {
        "id": failure.id,
        "notification_id": failure.notification_id,
        "tenant_id": failure.tenant_id,
        "channel": failure.channel,
        "reason": storable(failure.reason) or "failed",
        "attempts": failure.attempts,
        "chain": failure.chain,
        "topic": storable(failure.topic),
        "partition": failure.partition,
        "offset": failure.offset,
        "key": failure.key,
        "history": _json(failure.history),
        "created_at": failure.created_at,
    }


def _json(value: Any) -> str:
    """As text, because an array of lists would get two dimensions.

    Without NUL, which jsonb cannot hold.
    """
    return NUL.sub(r"\1", orjson.dumps(value).decode())


async def list_page(
    db: Queryable, shown: Filter, *, before: UUID | None = None, limit: int
) -> list[DeadLetter]:
    """At most `limit`, newest first."""
    rows = await db.fetch(*SQL["list"](before=before, **named(shown), limit=limit))
    return [DeadLetter(**dict(row)) for row in rows]


async def kinds(db: Queryable, meant: Filter, *, limit: int) -> Kinds:
    """How many there are, and at most `limit` kinds of them, the most frequent first."""
    rows = await db.fetch(*SQL["kinds"](**named(meant), limit=limit))
    return Kinds(
        rows[0]["total"] if rows else 0,
        [Kind(row["channel"], row["reason"], row["undecodable"], row["count"]) for row in rows],
    )


async def over_time(
    db: Queryable, *, since: datetime, every: timedelta, channel: str | None = None
) -> Sequence[DeadLetterCount]:
    """How many were dead-lettered, by channel and span of time."""
    return [
        DeadLetterCount(**dict(row))
        for row in await db.fetch(*SQL["over_time"](since=since, every=every, channel=channel))
    ]


async def prospects(db: Queryable, ids: Sequence[UUID]) -> list[Prospect]:
    """Those of the ids that exist, newest first."""
    return [
        Prospect(
            letter=DeadLetter(**{name: row[name] for name in DeadLetter.__dataclass_fields__}),
            notification_status=row["notification_status"],
            lost=row["lost"],
            size=row["size"],
        )
        for row in await db.fetch(*SQL["prospects"](ids=ids))
    ]


async def next_references(
    db: Queryable, meant: Filter, *, after: UUID | None = None, limit: int
) -> list[Reference]:
    """At most `limit`, oldest first."""
    return [
        Reference(**dict(row))
        for row in await db.fetch(*SQL["next"](after=after, **named(meant), limit=limit))
    ]


async def references(db: Queryable, ids: Sequence[UUID]) -> list[Reference]:
    """Those of the ids that exist."""
    return [Reference(**dict(row)) for row in await db.fetch(*SQL["references"](ids=ids))]


async def get(db: Queryable, entry_id: UUID) -> WholeDeadLetter | None:
    """One that is not deleted."""
    row = await db.fetchrow(*SQL["get"](id=entry_id))
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
    row = await db.fetchrow(*SQL["replay_records"](ids=ids, prefix=prefix, largest=largest))
    assert row is not None
    return Replayed(frozenset(row["replayed"]), outbox_entries(row["entries"]))


async def mark_replayed(db: Queryable, ids: Sequence[UUID]) -> frozenset[UUID]:
    """Mark those that were replayed in another way; the ids marked."""
    return frozenset(row["id"] for row in await db.fetch(*SQL["mark_replayed"](ids=ids)))


async def clock(db: Queryable) -> datetime:
    """The database's time."""
    row = await db.fetchrow(*SQL["clock"]())
    assert row is not None
    now: datetime = row["now"]
    return now


async def delete(db: Queryable, ids: Sequence[UUID]) -> frozenset[UUID]:
    """Clear and hide them; the ids of those that existed."""
    return frozenset(row["id"] for row in await db.fetch(*SQL["delete"](ids=ids)))
