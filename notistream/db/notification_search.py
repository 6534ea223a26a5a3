"""Search over notifications for operators: newest first, a bounded stretch at a time.

There is no index of statuses, of templates or of the recipients of all tenants: each would make
every accepted message dearer. A search for one of them looks at a limited number of notifications
and says where it stopped.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from notistream.db.ids import FIRST, LAST, id_at
from notistream.db.pool import Queryable
from notistream.db.queries import load

SQL = load("notification_search")
STRETCH = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is searched; None means any.

    `recipient` is exactly an address or an id as the sender gave it.
    """

    tenant_id: UUID | None = None
    status: str | None = None
    channel: str | None = None
    recipient: str | None = None
    template: str | None = None
    """Name or id."""
    since: datetime | None = None
    until: datetime | None = None
    before: UUID | None = None
    """Where the page before ended."""

    @property
    def is_narrow(self) -> bool:
        """Whether there may be many that do not match beside one that does."""
        return any((self.status, self.channel, self.recipient, self.template))


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundNotification:
    """A line of the list."""

    id: UUID
    tenant_id: UUID
    channel: str
    priority: str
    status: str
    reason: str | None
    recipient: str | None
    recipient_id: str | None
    template_name: str | None
    due_at: datetime | None
    created_at: datetime
    test: bool
    attempts: int


@dataclass(frozen=True, slots=True)
class Found:
    """Matches, newest first; `older` is the cursor of what follows.

    `stopped`: the stretch ended before the page.
    """

    notifications: Sequence[FoundNotification]
    older: UUID | None
    stopped: bool


async def search(db: Queryable, wanted: Wanted, *, limit: int, stretch: int = STRETCH) -> Found:
    """At most `limit` matches among the next `stretch` notifications of the span."""
    below = min(wanted.before or LAST, id_at(wanted.until) if wanted.until else LAST)
    above = id_at(wanted.since) if wanted.since else FIRST
    end = await _end(db, wanted, below, above, stretch) if wanted.is_narrow else None
    found = await _matching(db, wanted, below, end or above, limit + 1)
    if len(found) > limit:
        return Found(found[:limit], found[limit - 1].id, stopped=False)
    return Found(found, end, stopped=end is not None)


async def _end(
    db: Queryable, wanted: Wanted, below: UUID, above: UUID, stretch: int
) -> UUID | None:
    row = await db.fetchrow(
        *SQL["end_of_stretch"](
            tenant_id=wanted.tenant_id,
            below=below,
            above=above,
            is_of_tenant=wanted.tenant_id is not None,
            stretch=stretch,
        )
    )
    return row["id"] if row else None


async def _matching(
    db: Queryable, wanted: Wanted, below: UUID, above: UUID, limit: int
) -> list[FoundNotification]:
    asked = {
        "below": below,
        "above": above,
        "status": wanted.status,
        "channel": wanted.channel,
        "recipient": wanted.recipient,
        "template": wanted.template,
        "limit": limit,
    }
    if wanted.tenant_id:
        rows = await db.fetch(*SQL["of_tenant"](tenant_id=wanted.tenant_id, **asked))
    else:
        rows = await db.fetch(*SQL["of_all"](**asked))
    return [FoundNotification(**dict(row)) for row in rows]


async def of_batch(db: Queryable, batch_id: UUID, *, before: UUID | None, limit: int) -> Found:
    """The notifications of a batch."""
    rows = await db.fetch(*SQL["batch"](batch_id=batch_id, below=before or LAST, limit=limit + 1))
    found = [FoundNotification(**dict(row)) for row in rows]
    return Found(found[:limit], found[limit - 1].id if len(found) > limit else None, stopped=False)


async def trace_id(db: Queryable, notification_id: UUID) -> str | None:
    """Of the trace that its request began or belonged to."""
    row = await db.fetchrow(*SQL["traceparent"](id=notification_id))
    _, _, rest = ((row["traceparent"] if row else None) or "").partition("-")
    return rest.partition("-")[0] or None


async def tenant_names(db: Queryable, ids: Sequence[UUID]) -> Mapping[UUID, str]:
    """Those of them that there are."""
    return {row["id"]: row["name"] for row in await db.fetch(*SQL["names"](ids=list(set(ids))))}
