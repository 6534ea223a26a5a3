"""Retention: deletes what is older than its time, oldest first, in bounded steps."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from notistream.db.ids import FIRST
from notistream.db.pool import Queryable
from notistream.db.queries import load

SQL = load("retention")
LOCK = 7_301_962_005
TABLES = (
    "dead_letters",
    "notifications",
    "batches",
    "templates",
    "inbox_messages",
    "webhook_deliveries",
    "audit_log",
)
"""Dead letters first: one keeps its notification, which keeps its batch and template."""
PAGED = frozenset({"notifications", "batches", "webhook_deliveries"})
"""Tables in which old rows may stay: a step looks at the next rows by id.

Elsewhere a step takes the oldest rows.
"""


@dataclass(frozen=True, slots=True)
class Deleted:
    """What a step has deleted, or would have.

    `after` is where the next step begins; None if nothing is left.
    """

    count: int
    after: UUID | None


async def try_lock(db: Queryable) -> bool:
    """Take the lock of deletion for the rest of this transaction, if it is free."""
    row = await db.fetchrow(*SQL["try_lock"](lock=LOCK))
    return bool(row and row["locked"])


async def fold_totals(db: Queryable, *, limit: int) -> int:
    """Add old hours to the totals of their months; how many."""
    row = await db.fetchrow(*SQL["fold_totals"](limit=limit))
    return int(row["count"]) if row else 0


async def step(
    db: Queryable, table: str, keep: timedelta, *, after: UUID, limit: int, really: bool
) -> Deleted:
    """Delete of a table what is older than `keep`, or only count it.

    At most `limit` rows are looked at.

    Do templates after notifications: then few old templates are left to look at.
    """
    if table in PAGED:
        row = await db.fetchrow(*SQL[table](keep=keep, after=after, limit=limit, really=really))
        assert row is not None
        return Deleted(row["count"], row["after"])
    row = await db.fetchrow(*SQL[table](keep=keep, limit=limit if really else None, really=really))
    assert row is not None
    return Deleted(row["count"], FIRST if really and row["count"] == limit else None)
