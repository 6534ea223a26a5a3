"""Webhook endpoints: create, change, rotate the secret, test; and redeliver."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from uuid_utils.compat import uuid7

from notistream.db import webhook_deliveries, webhooks
from notistream.db.pool import Database, Queryable
from notistream.db.webhook_deliveries import StoredDelivery
from notistream.db.webhooks import StoredEndpoint, Wanted
from notistream.domain.webhook import TEST_EVENT
from notistream.domain.webhook_signature import KEY_BYTES, secret_of
from notistream.errors import FieldError, InvalidRequest, NotFound, TooManyWebhooks, WebhookInactive
from notistream.webhooks.client import WebhookClient

MOST = 50
OVERLAP = timedelta(hours=24)
AT_ONCE = 5000
TEST_DATA = {"message": "NotiStream can reach this endpoint."}


@dataclass(frozen=True, slots=True)
class Span:
    """Events from `since` to before `until` (None: now), with one of these delivery statuses."""

    since: datetime
    until: datetime | None
    statuses: Sequence[str]


class Webhooks:
    """What a tenant does with its endpoints; each statement runs in the tenant's database role."""

    def __init__(self, database: Database, client: WebhookClient) -> None:
        self._database = database
        self._client = client

    async def create(
        self, tenant_id: UUID, wanted: Wanted, *, secret: str | None
    ) -> StoredEndpoint:
        """Register an endpoint; without `secret`, one is generated.

        Raises:
            InvalidRequest: the URL leads to an address that tenants may not reach.
            TooManyWebhooks: the tenant already has MOST endpoints.
        """
        await self._check(wanted.url)
        async with self._database.of(tenant_id).transaction() as db:
            made = await webhooks.create(
                db, tenant_id, uuid7(), wanted, secret=secret or new_secret(), most=MOST
            )
        if made is None:
            raise TooManyWebhooks(f"a tenant may have {MOST} webhook endpoints; delete one first")
        return made

    async def replace(
        self, tenant_id: UUID, endpoint_id: UUID, wanted: Wanted, *, secret: str | None
    ) -> StoredEndpoint:
        """Change an endpoint; a new secret is rotated in.

        Raises as `create`, and NotFound.
        """
        await self._check(wanted.url)
        async with self._database.of(tenant_id).transaction() as db:
            stored = await webhooks.replace(db, tenant_id, endpoint_id, wanted)
            if stored is not None and secret is not None and secret != stored.secret:
                stored = await webhooks.rotate(
                    db, tenant_id, endpoint_id, secret=secret, overlap=OVERLAP
                )
        return _there(stored)

    async def get(self, tenant_id: UUID, endpoint_id: UUID) -> StoredEndpoint:
        """Raises NotFound."""
        return await _get(self._database.of(tenant_id), tenant_id, endpoint_id)

    async def delete(self, tenant_id: UUID, endpoint_id: UUID) -> None:
        """Delete an endpoint and its deliveries; raises NotFound."""
        if not await webhooks.delete(self._database.of(tenant_id), tenant_id, endpoint_id):
            raise _missing()

    async def rotate(
        self, tenant_id: UUID, endpoint_id: UUID, *, secret: str | None
    ) -> StoredEndpoint:
        """Sign with a new secret, and for OVERLAP with the old one as well; raises NotFound."""
        return _there(
            await webhooks.rotate(
                self._database.of(tenant_id),
                tenant_id,
                endpoint_id,
                secret=secret or new_secret(),
                overlap=OVERLAP,
            )
        )

    async def test(self, tenant_id: UUID, endpoint_id: UUID) -> StoredDelivery:
        """Queue a test event. Raises NotFound, WebhookInactive."""
        db = self._database.of(tenant_id)
        queued = await webhook_deliveries.enqueue_test(
            db, tenant_id, endpoint_id, event_id=uuid4(), kind=TEST_EVENT, data=TEST_DATA
        )
        if queued is None:
            await _get(db, tenant_id, endpoint_id)
            raise WebhookInactive
        return queued

    async def deliveries(
        self,
        tenant_id: UUID,
        endpoint_id: UUID,
        *,
        before: UUID | None,
        status: str | None,
        kind: str | None,
        limit: int,
    ) -> list[StoredDelivery]:
        """At most `limit`, newest first. Raises NotFound."""
        db = self._database.of(tenant_id)
        await _get(db, tenant_id, endpoint_id)
        return await webhook_deliveries.list_page(
            db, tenant_id, endpoint_id, before=before, status=status, kind=kind, limit=limit
        )

    async def delivery(
        self, tenant_id: UUID, endpoint_id: UUID, delivery_id: UUID
    ) -> StoredDelivery:
        """Raises NotFound."""
        found = await webhook_deliveries.get(
            self._database.of(tenant_id), tenant_id, endpoint_id, delivery_id
        )
        if found is None:
            raise NotFound("there is no such delivery")
        return found

    async def redeliver(self, tenant_id: UUID, endpoint_id: UUID, meant: UUID | Span) -> int:
        """Queue one delivery or a span of them again, with a fresh schedule; return how many.

        Raises:
            NotFound: there is no such endpoint or delivery.
            WebhookInactive: the endpoint is switched off.
        """
        db = self._database.of(tenant_id)
        if not (await _get(db, tenant_id, endpoint_id)).is_active:
            raise WebhookInactive
        if isinstance(meant, Span):
            return await self._redeliver_span(db, tenant_id, endpoint_id, meant)
        queued = await webhook_deliveries.redeliver(db, tenant_id, endpoint_id, meant)
        if not queued:
            await self.delivery(tenant_id, endpoint_id, meant)
        return int(queued)

    async def _redeliver_span(
        self, db: Queryable, tenant_id: UUID, endpoint_id: UUID, span: Span
    ) -> int:
        """Work in portions, and skip deliveries that end in the meantime."""
        now, total = await webhook_deliveries.moment(db), 0
        while True:
            count = await webhook_deliveries.redeliver_range(
                db,
                tenant_id,
                endpoint_id,
                since=span.since,
                until=span.until or now,
                statuses=span.statuses,
                ended_by=now,
                limit=AT_ONCE,
            )
            total += count
            if count < AT_ONCE:
                return total

    async def _check(self, url: str) -> None:
        if reason := await self._client.refusal(url):
            raise InvalidRequest([FieldError("/url", reason)])


def new_secret() -> str:
    """Generate a secret."""
    return secret_of(secrets.token_bytes(KEY_BYTES))


async def _get(db: Queryable, tenant_id: UUID, endpoint_id: UUID) -> StoredEndpoint:
    return _there(await webhooks.get(db, tenant_id, endpoint_id))


def _there(found: StoredEndpoint | None) -> StoredEndpoint:
    if found is None:
        raise _missing()
    return found


def _missing() -> NotFound:
    return NotFound("there is no such webhook endpoint")
