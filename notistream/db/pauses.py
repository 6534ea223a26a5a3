"""Pauses: channels and providers that an operator stopped, and what waits for them."""

from dataclasses import dataclass
from datetime import datetime

import asyncpg

from notistream.db.deliveries import TIMER_GRACE
from notistream.db.pool import Queryable
from notistream.db.queries import load
from notistream.db.records import storable

SQL = load("pauses")


@dataclass(frozen=True, slots=True)
class Pause:
    """A channel, or one provider of it, to which nothing is sent."""

    channel: str
    provider: str | None = None

    def __str__(self) -> str:
        return f"{self.channel}/{self.provider}" if self.provider else self.channel


@dataclass(frozen=True, slots=True)
class StoredPause:
    """A pause, why it was made and since when it holds."""

    pause: Pause
    reason: str
    paused_at: datetime


def _stored(row: asyncpg.Record) -> StoredPause:
    return StoredPause(
        Pause(row["channel"], row["provider"] or None), row["reason"], row["paused_at"]
    )


async def current(db: Queryable) -> frozenset[Pause]:
    """What is paused now."""
    return frozenset(stored.pause for stored in await list_all(db))


async def list_all(db: Queryable) -> list[StoredPause]:
    """Pauses by channel and provider."""
    return [_stored(row) for row in await db.fetch(*SQL["current"]())]


async def pause(db: Queryable, wanted: Pause, reason: str) -> StoredPause:
    """Hold back; a second time only the reason changes."""
    row = await db.fetchrow(
        *SQL["pause"](
            channel=wanted.channel, provider=wanted.provider or "", reason=storable(reason)
        )
    )
    assert row is not None
    return _stored(row)


async def resume(db: Queryable, paused: Pause) -> bool:
    """End a pause; False if there is none."""
    return (
        await db.fetchrow(*SQL["resume"](channel=paused.channel, provider=paused.provider or ""))
        is not None
    )


async def release(db: Queryable, channel: str, *, limit: int) -> int:
    """Make at most `limit` messages that pauses of the channel hold due now; how many.

    No timer waits for them, so they do not get the grace that timers get.
    """
    row = await db.fetchrow(*SQL["release"](channel=channel, limit=limit, grace=TIMER_GRACE))
    assert row is not None
    count: int = row["count"]
    return count
