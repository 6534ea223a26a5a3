"""Deliveries per channel and minute, sampled from the hourly totals."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from notistream.db.pool import Queryable
from notistream.db.queries import load
from notistream.domain.notification import CHANNELS

SQL = load("channel_minutes")


@dataclass(frozen=True, slots=True)
class Span:
    """What a channel delivered in a span from `at` on; `minutes` of it were measured."""

    channel: str
    at: datetime
    sent: int
    failed: int
    latency_ms_sum: float
    minutes: int


async def sample(db: Queryable) -> None:
    """Sample the totals as they are now; every worker calls this every few seconds."""
    await db.fetch(*SQL["sample"](channels=list(CHANNELS)))


async def forget(db: Queryable) -> None:
    """Delete what is older than two days."""
    await db.fetch(*SQL["forget"]())


async def series(db: Queryable, *, since: datetime, every: timedelta) -> Sequence[Span]:
    """What was measured since a full minute, by channel and time.

    A span that was not measured is left out.
    """
    return [Span(**dict(row)) for row in await db.fetch(*SQL["series"](since=since, every=every))]
