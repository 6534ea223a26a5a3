"""What senders and operators do to waiting notifications and unknown outcomes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from uuid_utils.compat import uuid7

from notistream.db.pool import Queryable
from notistream.db.queries import load
from notistream.db.records import StoredNotification, storable, stored_notification
from notistream.delivery.ports import Turn
from notistream.kafka.outbox import OutboxEntry, outbox_entries

SQL = load("operations")


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which of a tenant's notifications are meant; None means any."""

    template: str | None = None
    """Id or name."""
    batch_id: UUID | None = None
    category: str | None = None
    channel: str | None = None


@dataclass(frozen=True, slots=True)
class Candidates:
    """What a page of the tenant's notifications holds of a selection.

    `before` is the cursor of the next page.
    """

    waiting: Sequence[UUID]
    too_late: int
    before: UUID | None


async def candidates(
    db: Queryable, tenant_id: UUID, selection: Selection, *, before: UUID | None, limit: int
) -> Candidates:
    """Look at the `limit` newest before the cursor; a batch is one page."""
    row = await db.fetchrow(
        *SQL["candidates"](
            tenant_id=tenant_id,
            before=before,
            limit=limit,
            template=selection.template,
            category=selection.category,
            batch_id=selection.batch_id,
            channel=selection.channel,
        ),
    )
    assert row is not None
    more = selection.batch_id is None and row["size"] == limit
    return Candidates(row["waiting"], row["too_late"], row["last"] if more else None)


async def cancel(
    db: Queryable, tenant_id: UUID, ids: Sequence[UUID], *, gate: str, reason: str
) -> tuple[int, list[OutboxEntry]]:
    """Cancel those that still wait; how many, and what to publish.

    `gate` and `reason` go to the trace.
    """
    row = await db.fetchrow(
        *SQL["cancel"](tenant_id=tenant_id, ids=ids, gate=gate, reason=storable(reason))
    )
    assert row is not None
    return row["count"], outbox_entries(row["entries"])


async def lock(db: Queryable, tenant_id: UUID, notification_id: UUID) -> StoredNotification | None:
    """Read and lock it until the transaction ends."""
    row = await db.fetchrow(*SQL["lock"](tenant_id=tenant_id, id=notification_id))
    return stored_notification(row) if row else None


async def reschedule(
    db: Queryable,
    tenant_id: UUID,
    notification_id: UUID,
    *,
    scheduled_at: datetime | None,
    expires_at: datetime | None,
) -> StoredNotification | None:
    """Make what waits due at another moment, None for now; None if it no longer waits."""
    row = await db.fetchrow(
        *SQL["reschedule"](
            tenant_id=tenant_id,
            id=notification_id,
            scheduled_at=scheduled_at,
            expires_at=expires_at,
        )
    )
    return stored_notification(row) if row else None


async def resolve_delivered(
    db: Queryable, tenant_id: UUID, notification_id: UUID, reason: str
) -> list[OutboxEntry]:
    """Resolve an unknown outcome as delivered; what is to be published."""
    row = await db.fetchrow(
        *SQL["resolve_delivered"](tenant_id=tenant_id, id=notification_id, reason=reason)
    )
    assert row is not None
    return outbox_entries(row["entries"])


async def resolve_failed(
    db: Queryable, tenant_id: UUID, notification_id: UUID, reason: str
) -> list[OutboxEntry]:
    """Resolve an unknown outcome as failed, with a dead letter; what is to be published."""
    row = await db.fetchrow(
        *SQL["resolve_failed"](
            tenant_id=tenant_id, id=notification_id, reason=reason, dead_letter_id=uuid7()
        )
    )
    assert row is not None
    return outbox_entries(row["entries"])


async def resolve_resend(
    db: Queryable, tenant_id: UUID, notification_id: UUID, reason: str
) -> Turn | None:
    """Make an unknown outcome due now; the caller queues it in the same transaction.

    None if the outcome is not unknown.
    """
    row = await db.fetchrow(
        *SQL["resolve_resend"](tenant_id=tenant_id, id=notification_id, reason=reason)
    )
    return Turn(row["id"], row["seq"]) if row else None


async def forget_expiry(db: Queryable, tenant_id: UUID, notification_id: UUID) -> None:
    """Remove the expiry of what has ended and expired, so that it can be sent again."""
    await db.fetch(*SQL["forget_expiry"](tenant_id=tenant_id, id=notification_id))


async def was_replayed(db: Queryable, replay_id: UUID, notification_id: UUID) -> bool:
    """Whether this replay has had the notification."""
    return (
        await db.fetchrow(
            *SQL["was_replayed"](replay_id=replay_id, notification_id=notification_id)
        )
        is not None
    )
