"""What gauges show: open dead letters, lateness of the scheduler, the outbox."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from notistream.db.pool import Queryable
from notistream.db.queries import load

SQL = load("gauges")


@dataclass(frozen=True, slots=True)
class Waiting:
    """Outbox entries of a topic, and the age of the oldest in seconds."""

    entries: int
    oldest_s: float


async def dead_letters(db: Queryable) -> Mapping[str, int]:
    """Dead letters that are neither replayed nor deleted, by channel."""
    return {row["channel"]: row["count"] for row in await db.fetch(*SQL["dead_letters"]())}


async def lateness_s(db: Queryable, lanes: Collection[tuple[str, str]]) -> float:
    """Seconds by which the most overdue notification of these lanes (channel, priority) is late."""
    row = await db.fetchrow(
        *SQL["lateness"](lanes=[{"channel": c, "priority": p} for c, p in lanes])
    )
    assert row is not None
    seconds: float = row["seconds"]
    return seconds


async def outbox(db: Queryable) -> Mapping[str, Waiting]:
    """What is not published yet, by topic without the prefix."""
    return {
        row["topic"]: Waiting(row["entries"], row["oldest_s"])
        for row in await db.fetch(*SQL["outbox"]())
    }
