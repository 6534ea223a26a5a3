"""Deletion of what is older than its retention: bounded steps, in the order in which it was made."""

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
"""In the order that frees most: a dead letter keeps its notification, and that its batch and template."""
PAGED = frozenset({"notifications", "batches", "webhook_deliveries"})
"""Where rows stay that are old: a step looks at the next of them, by id.

Elsewhere it takes the oldest.
"""


@dataclass(frozen=True, slots=True)
class Deleted:
    """What a step has deleted, or would have.

    `after` is where the next one begins, None where nothing is left.
    """

    count: int
    after: UUID | None


async def try_lock(db: Queryable) -> bool:
    """Be the only one who deletes for the rest of this transaction, where nobody else is."""
    row = await db.fetchrow(*SQL["try_lock"](lock=LOCK))
    return bool(row and row["locked"])


async def fold_totals(db: Queryable, *, limit: int) -> int:
    """Add hours of long ago to the totals of their months; how many."""
    row = await db.fetchrow(*SQL["fold_totals"](limit=limit))
    return int(row["count"]) if row else 0


async def step(
    db: Queryable, table: str, keep: timedelta, *, after: UUID, limit: int, really: bool
) -> Deleted:
    """Delete of a table what is older than `keep`, or only count it.

    At most `limit` rows are looked at.

    Templates are meant to follow notifications, which leave few old ones to look through.
    """
    if table in PAGED:
        row = await db.fetchrow(*SQL[table](keep=keep, after=after, limit=limit, really=really))
        assert row is not None
        return Deleted(row["count"], row["after"])
    row = await db.fetchrow(*SQL[table](keep=keep, limit=limit if really else None, really=really))
    assert row is not None
    return Deleted(row["count"], FIRST if really and row["count"] == limit else None)
