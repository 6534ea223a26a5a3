"""Circuit breakers that are not closed, as each worker slot last reported."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from notistream.db.pool import Queryable
from notistream.db.queries import load, named
from notistream.db.records import storable

SQL = load("breakers")


@dataclass(frozen=True, slots=True)
class OpenBreaker:
    """A breaker that is `open` or `half_open`, why, and in how many seconds it admits a probe."""

    channel: str
    provider: str
    state: str
    reason: str
    probe_in_s: float


@dataclass(frozen=True, slots=True)
class ReportedBreaker:
    """A breaker that is not closed, as a worker slot last reported."""

    slot: int
    channel: str
    provider: str
    state: str
    reason: str
    since: datetime
    probe_at: datetime


async def list_all(db: Queryable) -> list[ReportedBreaker]:
    """By channel and provider; includes reports of workers that are gone by now."""
    return [ReportedBreaker(**dict(row)) for row in await db.fetch(*SQL["list"]())]


async def replace(db: Queryable, slot: int, breakers: Sequence[OpenBreaker]) -> None:
    """Make these the breakers of the slot that are not closed."""
    await db.fetch(
        *SQL["replace"](
            slot=slot,
            breakers=[{**named(b), "reason": storable(b.reason)} for b in breakers],
        )
    )
