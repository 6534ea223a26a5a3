"""A database in which somebody acts on notifications: what tests of recalls, resolutions, resends
and pauses share.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from notistream.db import deliveries, notifications, tenants
from notistream.db.pool import Database
from notistream.delivery.ports import Parking, Turn
from notistream.domain.notification import Status
from notistream.domain.outcome import AttemptOutcome, Finish
from notistream.operating.pauses import Pauses
from notistream.sending.acceptance import Caller
from notistream.sending.changes import NotificationChanges
from tests.integration.test_protocol import DELIVERED, RETRY_NOW, World

HELD = Finish(
    status=Status.UNKNOWN,
    reason="outcome_unknown",
    outcome=AttemptOutcome.UNKNOWN,
    error="no answer",
    provider="p",
    duration_ms=5.0,
)
SUPPRESSED = Finish(status=Status.SUPPRESSED, reason="unwanted", outcome=AttemptOutcome.NOT_CALLED)
EXPIRED = replace(SUPPRESSED, status=Status.EXPIRED)
FAILED = Finish(
    status=Status.FAILED, reason="HTTP 400", outcome=AttemptOutcome.PERMANENT, error="HTTP 400"
)
HOUR = timedelta(hours=1)


class Hand(World):
    """A world in which somebody acts; `published` is what would go to Kafka."""

    def __init__(self, db, tenant_id):
        super().__init__(db, tenant_id)
        self.published = []
        self.operations = NotificationChanges(db, publish=self.published.extend)
        self.pauses = Pauses(db, providers={"sms": ["webhook", "console"], "email": ["console"]})

    def sender(self, key=None, tenant_id=None):
        return Caller(tenant_id=tenant_id or self.tenant_id, correlation_id="c", request_key=key)

    async def in_status(self, status, **fields):
        """A notification that is in this status."""
        scheduled_at = datetime.now(UTC) + HOUR if status == "scheduled" else None
        notification_id = await self.create(scheduled_at=scheduled_at, **fields)
        if status == "deferred":
            await self.park(notification_id)
        if status == "cancelled":
            await notifications.cancel(self.db, self.tenant_id, notification_id)
        if status in ENDS:
            await self.finish(await self.claim(notification_id), ENDS[status])
        if status == "processing":
            await self.claim(notification_id)
        assert (await self.status(notification_id)).status == status
        return notification_id

    async def park(self, notification_id, *, seq=1, gate="lane", reason="busy"):
        await deliveries.park(self.db, [Parking(Turn(notification_id, seq), 3000.0, gate, reason)])

    async def use_cap(self, notification_id):
        await self.db.fetch(
            "INSERT INTO cap_uses (tenant_id, recipient_id, channel, notification_id) VALUES ($1,"
            " 'u', 'sms', $2)",
            self.tenant_id,
            notification_id,
        )

    async def cap_uses(self):
        return {
            row["notification_id"]
            for row in await self.db.fetch("SELECT notification_id FROM cap_uses")
        }

    async def steps(self, notification_id):
        return [
            (s.gate, s.verdict) for s in await notifications.trace_steps(self.db, notification_id)
        ]

    async def log(self):
        """Actor, action and target of the audit log."""
        return [
            tuple(row)
            for row in await self.db.fetch(
                "SELECT actor, action, target FROM audit_log ORDER BY id"
            )
        ]

    async def totals(self):
        (row,) = await self.db.fetch("SELECT sum(sent), sum(failed) FROM channel_totals")
        return tuple(int(n or 0) for n in row)


ENDS = {
    "unknown": HELD,
    "delivered": DELIVERED,
    "failed": FAILED,
    "suppressed": SUPPRESSED,
    "expired": EXPIRED,
    "retrying": RETRY_NOW,
}
WAITING = ("pending", "scheduled", "retrying", "deferred")
TERMINAL = ("delivered", "failed", "cancelled", "suppressed", "expired")


@asynccontextmanager
async def acting(url) -> AsyncIterator[Hand]:
    """A hand for the default tenant."""
    db = Database(url, size=6, name="test")
    tenant, _ = await tenants.create(db, "default")
    try:
        yield Hand(db, tenant.id)
    finally:
        await db.close()
