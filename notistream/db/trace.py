"""What a trace needs: a notification of any tenant, and its place in the queue."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from notistream.db.pool import Queryable
from notistream.db.queries import load
from notistream.db.records import StoredNotification, stored_notification

SQL = load("trace")


@dataclass(frozen=True, slots=True)
class QueuePlace:
    """Where a pending notification waits, and since when.

    `ahead` are those of its tenant held back before it.
    """

    lane: str
    queued_at: datetime
    place: Literal["held", "outbox", "kafka"]
    ahead: int


async def find(db: Queryable, notification_id: UUID) -> StoredNotification | None:
    """Of any tenant."""
    row = await db.fetchrow(*SQL["find"](id=notification_id))
    return stored_notification(row) if row else None


async def queue_place(db: Queryable, notification_id: UUID) -> QueuePlace | None:
    """None if it is not pending."""
    row = await db.fetchrow(*SQL["queue_place"](id=notification_id))
    return QueuePlace(row["lane"], row["queued_at"], row["place"], row["ahead"]) if row else None
