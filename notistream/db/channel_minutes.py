"""Deliveries per channel and minute, sampled from the hourly totals so that finishing a delivery costs no more."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from notistream.db.pool import Queryable
from notistream.db.queries import load
from notistream.domain.notification import CHANNELS

SQL = load("channel_minutes")


@dataclass(frozen=True, slots=True)
class Span:
    """What a channel delivered in a span of time that begins `at`; `minutes` of it were measured."""

    channel: str
    at: datetime
    sent: int
    failed: int
    latency_ms_sum: float
    minutes: int


async def sample(db: Queryable) -> None:
    """Note the totals as they are now; call it every few seconds, on as many workers as there are."""
    await db.fetch(*SQL["sample"](channels=list(CHANNELS)))


async def forget(db: Queryable) -> None:
    """Delete what is older than two days."""
    await db.fetch(*SQL["forget"]())


async def series(db: Queryable, *, since: datetime, every: timedelta) -> Sequence[Span]:
    """What was measured since a full minute, by channel and in the order of time.

    Not measured: no span.
    """
    return [Span(**dict(row)) for row in await db.fetch(*SQL["series"](since=since, every=every))]
