"""Replays of a time range: what the range holds, and the progress of each replay."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from notistream.db.ids import CLOCKS_APART, id_at
from notistream.db.pool import Queryable
from notistream.db.queries import load
from notistream.db.replay import ReplayItem

SQL = load("range_replays")


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """The notifications that were accepted from `since` to before `until` and ended so."""

    since: datetime
    until: datetime | None = None
    """None: when the replay was made."""
    channel: str | None = None
    tenant_id: UUID | None = None
    statuses: tuple[str, ...] = ("failed",)


@dataclass(frozen=True, slots=True)
class Group:
    """How many of a channel, status and template a replay would treat alike.

    `verdict`: send, or why not: replayed, duplicate, expired, suppressed, unwanted. `perhaps_again`
    of those to send may have reached their recipient before.
    """

    channel: str
    status: str
    template: str | None
    verdict: str
    count: int
    perhaps_again: int


@dataclass(frozen=True, slots=True)
class RangePage:
    """A part of a range: what is to be sent of it; `last_id` is where the next one begins."""

    items: Sequence[ReplayItem]
    groups: Sequence[Group]
    last_id: UUID | None
    at_end: bool

    @property
    def count(self) -> int:
        """How many of the range it holds."""
        return sum(group.count for group in self.groups)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredReplay:
    """A row of `replays`."""

    id: UUID
    range: Range
    rate: float
    """Notifications per second."""
    state: str
    total: int
    queued: int
    skipped: int
    last_id: UUID | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Runnable:
    """A replay locked in this transaction, and for how many seconds it has rested."""

    replay: StoredReplay
    rested_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Portion:
    """The next `take` matches among the next `scan` rows after an id, or from the beginning."""

    after: UUID | None
    scan: int
    take: int


async def page(
    db: Queryable, meant: Range, portion: Portion, *, until: datetime, replay_id: UUID
) -> RangePage:
    """A portion of a range that ends at `until`, judged for the replay `replay_id`."""
    row = await db.fetchrow(
        *SQL["page"](
            replay_id=replay_id,
            after=portion.after or id_at(meant.since, later=-CLOCKS_APART),
            last_id=id_at(until, later=CLOCKS_APART),
            since=meant.since,
            until=until,
            statuses=list(meant.statuses),
            channel=meant.channel,
            tenant_id=meant.tenant_id,
            scan=portion.scan,
            take=portion.take,
        ),
    )
    assert row is not None
    return RangePage(
        [ReplayItem(*pair) for pair in zip(row["ids"], row["chains"], strict=True)],
        [Group(*columns) for columns in row["groups"] or ()],
        row["last_id"],
        row["at_end"],
    )


async def create(
    db: Queryable, replay_id: UUID, meant: Range, *, rate: float, total: int
) -> StoredReplay | None:
    """None where the id is taken."""
    row = await db.fetchrow(
        *SQL["create"](id=replay_id, filter=document(meant), rate=rate, total=total)
    )
    return _replay(row) if row else None


async def get(db: Queryable, replay_id: UUID) -> StoredReplay | None:
    row = await db.fetchrow(*SQL["get"](id=replay_id))
    return _replay(row) if row else None


async def list_page(db: Queryable, *, before: UUID | None, limit: int) -> list[StoredReplay]:
    """At most `limit`, newest first."""
    return [_replay(row) for row in await db.fetch(*SQL["list"](before=before, limit=limit))]


async def set_state(
    db: Queryable, replay_id: UUID, was: str, to: str, *, rate: float | None = None
) -> StoredReplay | None:
    """None if it was in another state."""
    row = await db.fetchrow(*SQL["set_state"](id=replay_id, was=was, to=to, rate=rate))
    return _replay(row) if row else None


async def lock_next(db: Queryable, only: UUID | None) -> Runnable | None:
    """One that may go on now, and that nobody else advances."""
    row = await db.fetchrow(*SQL["lock_next"](only=only))
    return Runnable(_replay(row), row["rested_s"]) if row else None


async def advance(db: Queryable, replay_id: UUID, done: RangePage, *, queued: int) -> None:
    """Note what was done, in the transaction that does it."""
    await db.fetch(
        *SQL["advance"](
            id=replay_id,
            queued=queued,
            skipped=done.count - queued,
            last_id=done.last_id,
            at_end=done.at_end,
        )
    )


async def count_replayed(db: Queryable, replay_id: UUID) -> int:
    """How many a replay has queued again."""
    row = await db.fetchrow(*SQL["count_replayed"](id=replay_id))
    assert row is not None
    return int(row["count"])


def document(meant: Range) -> Mapping[str, Any]:
    """A range as JSON."""
    return {
        "since": meant.since.isoformat(),
        "until": meant.until.isoformat() if meant.until else None,
        "channel": meant.channel,
        "tenant_id": str(meant.tenant_id) if meant.tenant_id else None,
        "statuses": list(meant.statuses),
    }


def _range(document: Mapping[str, Any]) -> Range:
    until, tenant_id = document["until"], document["tenant_id"]
    return Range(
        since=datetime.fromisoformat(document["since"]),
        until=datetime.fromisoformat(until) if until else None,
        channel=document["channel"],
        tenant_id=UUID(tenant_id) if tenant_id else None,
        statuses=tuple(document["statuses"]),
    )


def _replay(row: asyncpg.Record) -> StoredReplay:
    return StoredReplay(
        id=row["id"],
        range=_range(row["filter"]),
        rate=row["rate"],
        state=row["state"],
        total=row["total"],
        queued=row["queued"],
        skipped=row["skipped"],
        last_id=row["last_id"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )
