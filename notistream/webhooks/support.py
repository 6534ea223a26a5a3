"""What operators do for a tenant's webhook endpoints, with an audit entry in each transaction."""

from uuid import UUID, uuid4

from notistream.db import audit_log, webhook_deliveries, webhooks
from notistream.db.pool import Database, Queryable
from notistream.db.webhook_deliveries import StoredDelivery
from notistream.db.webhooks import StoredEndpoint
from notistream.domain.webhook import TEST_EVENT
from notistream.errors import Conflict, WebhookInactive
from notistream.webhooks.endpoints import TEST_DATA, Span, Webhooks


class WebhookSupport:
    """Changes that operators make; reading is done with Webhooks."""

    def __init__(self, database: Database, tenants_acts: Webhooks) -> None:
        self._database = database
        self._acts = tenants_acts

    async def switch(self, tenant_id: UUID, endpoint_id: UUID, *, on: bool, actor: str) -> bool:
        """Switch an endpoint on or off; False if nothing changed. Raises NotFound."""
        await self._acts.get(tenant_id, endpoint_id)
        async with self._database.transaction() as db:
            changed = await webhooks.switch(db, tenant_id, endpoint_id, on=on)
            if changed:
                await _note(
                    db, actor, "webhook.enable" if on else "webhook.disable", tenant_id, endpoint_id
                )
        return changed

    async def test(self, tenant_id: UUID, endpoint_id: UUID, *, actor: str) -> StoredDelivery:
        """Queue a test event. Raises NotFound, WebhookInactive."""
        await self._active(tenant_id, endpoint_id)
        async with self._database.transaction() as db:
            queued = await webhook_deliveries.enqueue_test(
                db, tenant_id, endpoint_id, event_id=uuid4(), kind=TEST_EVENT, data=TEST_DATA
            )
            if queued is None:
                raise WebhookInactive
            await _note(
                db, actor, "webhook.test", tenant_id, endpoint_id, delivery_id=str(queued.id)
            )
        return queued

    async def redeliver(
        self, tenant_id: UUID, endpoint_id: UUID, delivery_id: UUID, *, actor: str
    ) -> None:
        """Queue one delivery again, with a fresh schedule.

        Raises:
            NotFound: there is no such endpoint or delivery.
            WebhookInactive: the endpoint is switched off.
            Conflict: a call is open.
        """
        await self._active(tenant_id, endpoint_id)
        await self._acts.delivery(tenant_id, endpoint_id, delivery_id)
        async with self._database.transaction() as db:
            if not await webhook_deliveries.redeliver(db, tenant_id, endpoint_id, delivery_id):
                raise Conflict("a call of this delivery is under way; wait for its end")
            await _note(
                db, actor, "webhook.redeliver", tenant_id, endpoint_id, delivery_id=str(delivery_id)
            )

    async def redeliver_span(
        self, tenant_id: UUID, endpoint_id: UUID, span: Span, *, actor: str
    ) -> int:
        """Queue a span again; the audit entry comes first, because the work is done in portions.

        Raises as `redeliver`.
        """
        await self._active(tenant_id, endpoint_id)
        await _note(
            self._database,
            actor,
            "webhook.redeliver_span",
            tenant_id,
            endpoint_id,
            since=span.since.isoformat(),
            until=span.until.isoformat() if span.until else "now",
            statuses=" ".join(span.statuses),
        )
        return await self._acts.redeliver(tenant_id, endpoint_id, span)

    async def _active(self, tenant_id: UUID, endpoint_id: UUID) -> StoredEndpoint:
        endpoint = await self._acts.get(tenant_id, endpoint_id)
        if not endpoint.is_active:
            raise WebhookInactive
        return endpoint


async def _note(
    db: Queryable, actor: str, action: str, tenant_id: UUID, endpoint_id: UUID, **details: str
) -> None:
    await audit_log.record(
        db, actor, action, str(endpoint_id), {"tenant_id": str(tenant_id), **details}
    )
