"""The audit: pages of what was accepted, suspects among them, and their repair."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from notistream.db.ids import CLOCKS_APART, id_at
from notistream.db.pool import Queryable
from notistream.db.queries import load

SQL = load("audit")
ACTION = "audit"
"""Word of a finished run in the audit log."""
LOCK = 7_301_962_004


@dataclass(frozen=True, slots=True)
class Window:
    """What an audit looks at: accepted since a moment, of one tenant or of all."""

    since: datetime
    until: datetime
    tenant_id: UUID | None = None

    @property
    def first_id(self) -> UUID:
        """Where its pages begin."""
        return id_at(self.since, later=-CLOCKS_APART)

    @property
    def last_id(self) -> UUID:
        """Where they end."""
        return id_at(self.until, later=CLOCKS_APART)


@dataclass(frozen=True, slots=True)
class HourCount:
    """What a tenant sent in an hour (UTC): accepted, ended, and waiting for too long."""

    tenant_id: UUID
    hour: datetime
    accepted: int
    terminal: int
    overdue: int


@dataclass(frozen=True, slots=True)
class Suspect:
    """A notification that nothing seems to wake."""

    id: UUID
    tenant_id: UUID
    topic: str
    status: str
    seq: int
    key: bytes
    """Of its Kafka records."""
    hour: datetime
    """In which it was accepted (UTC)."""
    queued_at: datetime


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the window; `last_id` is None after the last one."""

    last_id: UUID | None
    hours: Sequence[HourCount]
    suspects: Sequence[Suspect]


@dataclass(frozen=True, slots=True)
class LastRun:
    """A finished audit: when, how long ago, and what it found."""

    at: datetime
    age: timedelta
    details: Mapping[str, Any]


async def page(
    db: Queryable,
    window: Window,
    *,
    after: UUID,
    limit: int,
    lease: timedelta,
    horizons: Mapping[str, datetime],
) -> Page:
    """The next page of the window; see the statement for `horizons`."""
    row = await db.fetchrow(
        *SQL["page"](
            after=after,
            last_id=window.last_id,
            tenant_id=window.tenant_id,
            since=window.since,
            limit=limit,
            lease=lease,
            horizons=[{"topic": topic, "at": at} for topic, at in horizons.items()],
        )
    )
    assert row is not None
    return Page(
        row["last_id"] if row["scanned"] == limit else None,
        [HourCount(UUID(t), _moment(hour), *counts) for t, hour, *counts in row["hours"] or ()],
        [_suspect(columns) for columns in row["suspects"] or ()],
    )


def _suspect(columns: Sequence[Any]) -> Suspect:
    notification_id, tenant_id, topic, status, seq, key, hour, queued_at = columns
    return Suspect(
        UUID(notification_id),
        UUID(tenant_id),
        topic,
        status,
        seq,
        key.encode(),
        _moment(hour),
        _moment(queued_at),
    )


def _moment(epoch: float) -> datetime:
    return datetime.fromtimestamp(epoch, UTC)


async def still_missing(db: Queryable, suspects: Sequence[Suspect]) -> frozenset[UUID]:
    """The suspects that have not changed since and are in no outbox entry."""
    rows = await db.fetch(*SQL["still_missing"](suspects=suspects))
    return frozenset(row["id"] for row in rows)


async def repair(db: Queryable, suspects: Sequence[Suspect]) -> frozenset[UUID]:
    """Wake the suspects that have not changed since; the ids woken."""
    others = [s for s in suspects if s.status != "processing"]
    claimed = [s for s in suspects if s.status == "processing"]
    rows = [
        *await db.fetch(*SQL["repair"](suspects=others)),
        *await db.fetch(*SQL["restore_leases"](suspects=claimed)),
    ]
    return frozenset(row["id"] for row in rows)


async def forget_repairs(db: Queryable) -> None:
    """Forget repairs of long ago."""
    await db.fetch(*SQL["forget_repairs"]())


async def try_lock(db: Queryable) -> bool:
    """Take the audit's lock for the rest of this transaction, if it is free."""
    row = await db.fetchrow(*SQL["try_lock"](lock=LOCK))
    return bool(row and row["locked"])


async def last_run(db: Queryable) -> LastRun | None:
    """The last audit that finished in the last two days."""
    row = await db.fetchrow(*SQL["last_run"](action=ACTION))
    return LastRun(row["at"], row["age"], row["details"]) if row else None
