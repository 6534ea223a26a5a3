"""Operations on webhook endpoints and their deliveries."""

from typing import Unpack

from notistream_client import bodies
from notistream_client.answers import Page
from notistream_client.bodies import Id
from notistream_client.call import Call, at
from notistream_client.loading import nothing, one, page
from notistream_client.operation import Group, R_co, listing, operation
from notistream_client.records import Redelivered, Webhook, WebhookDelivery


class Webhooks(Group[R_co]):
    """Endpoints that receive events about notifications."""

    @operation
    def create(self, **endpoint: Unpack[bodies.Endpoint]) -> Call[Webhook]:
        """Register an endpoint; only this answer contains the secret."""
        return Call(method="POST", path=at("webhooks"), body=endpoint, read=one(Webhook))

    @operation
    def get(self, webhook_id: Id) -> Call[Webhook]:
        """Show an endpoint."""
        return Call(method="GET", path=at("webhooks", webhook_id), read=one(Webhook))

    @listing
    def list(
        self, *, cursor: str | None = None, page_size: int | None = None
    ) -> Call[Page[Webhook]]:
        """List endpoints, newest first."""
        return Call(
            method="GET",
            path=at("webhooks"),
            query={"cursor": cursor, "page_size": page_size},
            read=page(Webhook),
        )

    @operation
    def put(self, webhook_id: Id, **endpoint: Unpack[bodies.Endpoint]) -> Call[Webhook]:
        """Replace an endpoint; without a secret, the old one stays."""
        return Call(method="PUT", path=at("webhooks", webhook_id), body=endpoint, read=one(Webhook))

    @operation
    def delete(self, webhook_id: Id) -> Call[None]:
        """Delete an endpoint and its deliveries."""
        return Call(method="DELETE", path=at("webhooks", webhook_id), read=nothing)

    @operation
    def rotate_secret(self, webhook_id: Id, *, secret: str | None = None) -> Call[Webhook]:
        """Sign with a new secret, and for 24 hours also with the old one."""
        return Call(
            method="POST",
            path=at("webhooks", webhook_id, "rotate-secret"),
            body={} if secret is None else {"secret": secret},
            read=one(Webhook),
        )

    @operation
    def test(self, webhook_id: Id) -> Call[WebhookDelivery]:
        """Send an event of the type `webhook.test`."""
        return Call(
            method="POST",
            path=at("webhooks", webhook_id, "test"),
            body={},
            read=one(WebhookDelivery),
        )

    @listing
    def deliveries(
        self,
        webhook_id: Id,
        *,
        status: str | None = None,
        event_type: str | None = None,
        cursor: str | None = None,
        page_size: int | None = None,
    ) -> Call[Page[WebhookDelivery]]:
        """List the deliveries to an endpoint, newest first."""
        return Call(
            method="GET",
            path=at("webhooks", webhook_id, "deliveries"),
            read=page(WebhookDelivery),
            query={
                "status": status,
                "event_type": event_type,
                "cursor": cursor,
                "page_size": page_size,
            },
        )

    @operation
    def delivery(self, webhook_id: Id, delivery_id: Id) -> Call[WebhookDelivery]:
        """Show a delivery, its payload and every call."""
        return Call(
            method="GET",
            path=at("webhooks", webhook_id, "deliveries", delivery_id),
            read=one(WebhookDelivery),
        )

    @operation
    def redeliver(self, webhook_id: Id, **which: Unpack[bodies.Redelivery]) -> Call[Redelivered]:
        """Repeat one delivery, or those of a span of time."""
        return Call(
            method="POST",
            path=at("webhooks", webhook_id, "redeliver"),
            body=which,
            read=one(Redelivered),
        )
