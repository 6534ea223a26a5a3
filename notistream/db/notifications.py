"""Notifications as clients see them: create, read, list, cancel, trace."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from notistream.db.ids import CLOCKS_APART, FIRST, LAST, id_at
from notistream.db.pool import Queryable
from notistream.db.queries import load
from notistream.db.records import StoredAttempt, StoredNotification, StoredStep, stored_notification
from notistream.domain.notification import NewNotification
from notistream.kafka.outbox import OutboxEntry, outbox_entries

SQL = load("notifications")
STRETCH = 5_000


@dataclass(frozen=True, slots=True)
class Created:
    """What one create statement stored: new and scheduled ids, and what is to be published."""

    at: datetime
    ids: frozenset[UUID]
    scheduled: frozenset[UUID]
    entries: list[OutboxEntry]


async def create(db: Queryable, new: Sequence[NewNotification], *, window: timedelta) -> Created:
    """Store all at once; those whose body idempotency key is taken are left out of `ids`."""
    row = await db.fetchrow(*SQL["create"](new=new, window=window))
    assert row is not None
    return Created(
        row["at"],
        frozenset(row["created"]),
        frozenset(row["scheduled"]),
        outbox_entries(row["entries"]),
    )


async def find_by_keys(
    db: Queryable, keys: Sequence[tuple[UUID, str]]
) -> Mapping[tuple[UUID, str], StoredNotification]:
    """The notifications that hold these (tenant, idempotency key) pairs now."""
    rows = await db.fetch(
        *SQL["find_by_keys"](keys=[{"tenant_id": tenant, "key": key} for tenant, key in keys])
    )
    return {(row["tenant_id"], row["key"]): stored_notification(row) for row in rows}


async def get(db: Queryable, tenant_id: UUID, notification_id: UUID) -> StoredNotification | None:
    row = await db.fetchrow(*SQL["get"](tenant_id=tenant_id, id=notification_id))
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

    @property
    def looks_through(self) -> bool:
        """Whether many rows may be read for each that matches."""
        indexed = self.recipient or self.recipient_id or self.batch_id
        asked = self.statuses or self.channel or self.template or self.date_from or self.date_to
        return not indexed and bool(asked)

    @property
    def span(self) -> tuple[UUID, UUID]:
        """Ids that may match: below the first, not below the second.

        An id has the clock of an API process.
        """
        below = id_at(self.date_to, later=CLOCKS_APART) if self.date_to else LAST
        above = id_at(self.date_from, later=-CLOCKS_APART) if self.date_from else FIRST
        return min(below, self.before or LAST), above


@dataclass(frozen=True, slots=True)
class Page:
    """Newest first.

    `older` is the cursor of what follows, which may be set though the page is not full.
    """

    notifications: Sequence[StoredNotification]
    older: UUID | None


async def list_page(
    db: Queryable, tenant_id: UUID, shown: Filter, *, limit: int, stretch: int = STRETCH
) -> Page:
    """At most `limit`; filters without an index look at the next `stretch` notifications only."""
    below, above = shown.span
    look = stretch if shown.looks_through else limit + 1
    found = await _matching(db, tenant_id, shown, look, limit + 1)
    if len(found) > limit:
        return Page(found[:limit], found[limit - 1].id)
    if not shown.looks_through:
        return Page(found, None)
    row = await db.fetchrow(
        *SQL["list_end"](tenant_id=tenant_id, below=below, above=above, stretch=look)
    )
    return Page(found, row["id"] if row else None)


async def _matching(
    db: Queryable, tenant_id: UUID, shown: Filter, look: int, limit: int
) -> list[StoredNotification]:
    """Uses the index that finds the fewest rows."""
    below, above = shown.span
    asked = {
        "tenant_id": tenant_id,
        "below": below,
        "above": above,
        "statuses": shown.statuses,
        "channel": shown.channel,
        "template": shown.template,
        "date_from": shown.date_from,
        "date_to": shown.date_to,
        "limit": limit,
    }
    if shown.recipient:
        query = SQL["list_recipient"](
            **asked,
            recipient=shown.recipient,
            recipient_id=shown.recipient_id,
            batch_id=shown.batch_id,
        )
    elif shown.recipient_id:
        query = SQL["list_recipient_id"](
            **asked, recipient_id=shown.recipient_id, batch_id=shown.batch_id
        )
    elif shown.batch_id:
        query = SQL["list_batch"](**asked, batch_id=shown.batch_id)
    else:
        query = SQL["list"](**asked, stretch=look)
    rows = await db.fetch(*query)
    return [stored_notification(row) for row in rows]


async def cancel(
    db: Queryable, tenant_id: UUID, notification_id: UUID
) -> tuple[StoredNotification, list[OutboxEntry]] | None:
    """The cancelled notification and what is to be published.

    None if it does not exist or no longer waits.
    """
    row = await db.fetchrow(*SQL["cancel"](tenant_id=tenant_id, id=notification_id))
    return (stored_notification(row), outbox_entries(row["entries"])) if row else None


async def attempts(db: Queryable, notification_id: UUID) -> list[StoredAttempt]:
    """Closed attempts, oldest first."""
    return [
        StoredAttempt(**dict(row))
        for row in await db.fetch(*SQL["attempts"](notification_id=notification_id))
    ]


async def trace_steps(db: Queryable, notification_id: UUID) -> list[StoredStep]:
    """Decisions made outside attempts, oldest first."""
    return [
        StoredStep(**dict(row))
        for row in await db.fetch(*SQL["trace_steps"](notification_id=notification_id))
    ]
