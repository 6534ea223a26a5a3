"""Notifications as clients see them: create, read, list, cancel, trace."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from notistream.db.pool import Queryable
from notistream.db.queries import load
from notistream.db.records import StoredAttempt, StoredNotification, StoredStep, stored_notification
from notistream.domain.notification import NewNotification
from notistream.messages import OutboxEntry, outbox_entries

SQL = load("notifications")


@dataclass(frozen=True, slots=True)
class Created:
    """What one create statement stored: who is new, who waits for its time, what is to be published."""

    at: datetime
    ids: frozenset[UUID]
    scheduled: frozenset[UUID]
    entries: list[OutboxEntry]


async def create(db: Queryable, new: Sequence[NewNotification], *, window: timedelta) -> Created:
    """Store all at once; those whose body idempotency key is taken are left out of `ids`."""
    row = await db.fetchrow(
        SQL["create"], [n.id for n in new], [n.tenant_id for n in new], [n.batch_id for n in new],
        [n.channel for n in new], [n.priority.value for n in new], [n.recipient for n in new],
        [n.recipient_id for n in new], [n.subject for n in new], [n.content for n in new],
        [n.template_id for n in new], [n.template_name for n in new], [n.template_version for n in new],
        [n.template_variables for n in new], [n.category for n in new], [n.type for n in new],
        [n.metadata for n in new], [n.on_unknown.value for n in new], [n.idempotency_key for n in new],
        [n.correlation_id for n in new], [n.traceparent for n in new], [n.scheduled_at for n in new],
        [n.expires_at for n in new], [n.locale for n in new], [n.test for n in new], window,
    )
    assert row is not None
    return Created(
        row["at"], frozenset(row["created"]), frozenset(row["scheduled"]), outbox_entries(row["entries"]))


async def find_by_keys(
    db: Queryable, keys: Sequence[tuple[UUID, str]]
) -> Mapping[tuple[UUID, str], StoredNotification]:
    """The notifications that hold these (tenant, idempotency key) pairs now."""
    rows = await db.fetch(SQL["find_by_keys"], [tenant for tenant, _ in keys], [key for _, key in keys])
    return {(row["tenant_id"], row["key"]): stored_notification(row) for row in rows}


async def get(db: Queryable, tenant_id: UUID, notification_id: UUID) -> StoredNotification | None:
    row = await db.fetchrow(SQL["get"], tenant_id, notification_id)
    return stored_notification(row) if row else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """What a list shows; None means any. `before` is the last id of the page before."""

    before: UUID | None = None
    statuses: Sequence[str] | None = None
    channel: str | None = None
    recipient: str | None = None
    recipient_id: str | None = None
    batch_id: UUID | None = None
    template: str | None = None
    date_from: datetime | None = None
    date_to: datetime | None = None


async def list_page(db: Queryable, tenant_id: UUID, shown: Filter, *, limit: int) -> list[StoredNotification]:
    """At most `limit`, newest first."""
    rows = await db.fetch(
        SQL["list"], tenant_id, shown.before, shown.statuses, shown.channel, shown.recipient, shown.recipient_id,
        shown.batch_id, shown.template, shown.date_from, shown.date_to, limit,
    )
    return [stored_notification(row) for row in rows]


async def cancel(
    db: Queryable, tenant_id: UUID, notification_id: UUID
) -> tuple[StoredNotification, list[OutboxEntry]] | None:
    """The cancelled notification and what is to be published; None where it does not exist or waits no more."""
    row = await db.fetchrow(SQL["cancel"], tenant_id, notification_id)
    return (stored_notification(row), outbox_entries(row["entries"])) if row else None


async def attempts(db: Queryable, notification_id: UUID) -> list[StoredAttempt]:
    """Closed attempts, oldest first."""
    return [StoredAttempt(**dict(row)) for row in await db.fetch(SQL["attempts"], notification_id)]


async def trace_steps(db: Queryable, notification_id: UUID) -> list[StoredStep]:
    """Decisions made outside attempts, oldest first."""
    return [StoredStep(**dict(row)) for row in await db.fetch(SQL["trace_steps"], notification_id)]
