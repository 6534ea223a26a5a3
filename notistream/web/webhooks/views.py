"""JSON shapes of webhooks, and what fills them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, NotRequired, cast
from uuid import UUID

from pydantic import Field
from typing_extensions import TypedDict

from notistream.db.webhook_deliveries import StoredDelivery
from notistream.db.webhooks import StoredEndpoint
from notistream.domain.webhook_signature import key_of, secret_of


class WebhookView(TypedDict):
    """An endpoint and its state."""

    id: UUID
    url: str
    description: str | None
    events: Annotated[list[str], Field(description="Empty: all.")]
    is_active: bool
    disabled_at: Annotated[
        datetime | None, Field(description="When NotiStream itself has switched it off.")
    ]
    disabled_reason: Annotated[str | None, Field(description="And why.")]
    failing_since: Annotated[
        datetime | None, Field(description="First failure after the last success.")
    ]
    old_secret_until: Annotated[
        datetime | None,
        Field(description="Until then there are two signatures, one with the secret before."),
    ]
    created_at: datetime
    updated_at: datetime
    secret: NotRequired[Annotated[str, Field(description="Only in the answer that sets it.")]]
    signing_key: NotRequired[
        Annotated[
            str,
            Field(
                description=(
                    "The same as a Standard Webhooks library takes it: `whsec_` and the key in"
                    " base64."
                )
            ),
        ]
    ]


class WebhookPage(TypedDict):
    """Newest first; `next_cursor` is null on the last page."""

    data: list[WebhookView]
    next_cursor: str | None


class DeliveryView(TypedDict):
    """An event on its way to an endpoint."""

    id: Annotated[UUID, Field(description="The header `webhook-id`.")]
    webhook_id: Annotated[UUID, Field(description="The endpoint.")]
    event_id: UUID
    event_type: str
    status: Annotated[str, Field(description="pending, delivered or failed.")]
    attempts: Annotated[int, Field(description="Calls begun since it was queued or redelivered.")]
    next_attempt_at: datetime | None
    response_status: Annotated[
        int | None, Field(description="Of the last call; null: there was no answer.")
    ]
    error: str | None
    occurred_at: Annotated[datetime, Field(description="When it happened.")]
    created_at: datetime
    ended_at: datetime | None


class WebhookCallView(TypedDict):
    """One call."""

    number: int
    at: datetime
    duration_ms: float
    status: int | None
    error: str | None
    response: NotRequired[
        Annotated[str | None, Field(description="The first 1024 bytes of the answer.")]
    ]


class WholeDeliveryView(DeliveryView):
    """A delivery with its payload and the last 20 calls, oldest first."""

    payload: Mapping[str, Any]
    history: Sequence[WebhookCallView]


class DeliveryPage(TypedDict):
    """Newest first; `next_cursor` is null on the last page."""

    data: list[DeliveryView]
    next_cursor: str | None


class Redelivered(TypedDict):
    """How many deliveries were queued again."""

    count: int


def endpoint(stored: StoredEndpoint) -> WebhookView:
    return {
        "id": stored.id,
        "url": stored.url,
        "description": stored.description,
        "events": stored.events,
        "is_active": stored.is_active,
        "disabled_at": stored.disabled_at,
        "disabled_reason": stored.disabled_reason,
        "failing_since": stored.failing_since,
        "old_secret_until": stored.old_secret_until,
        "created_at": stored.created_at,
        "updated_at": stored.updated_at,
    }


def with_secret(stored: StoredEndpoint) -> WebhookView:
    """Fill the view with the secret, for answers that show it."""
    return {
        **endpoint(stored),
        "secret": stored.secret,
        "signing_key": secret_of(key_of(stored.secret)),
    }


def endpoint_page(found: Sequence[StoredEndpoint], size: int) -> WebhookPage:
    """`found` has one more than `size` where the page is not the last."""
    return {
        "data": [endpoint(stored) for stored in found[:size]],
        "next_cursor": str(found[size - 1].id) if len(found) > size else None,
    }


def delivery(stored: StoredDelivery) -> DeliveryView:
    return {
        "id": stored.id,
        "webhook_id": stored.endpoint_id,
        "event_id": stored.event_id,
        "event_type": stored.type,
        "status": stored.status,
        "attempts": stored.attempts,
        "next_attempt_at": stored.due_at,
        "response_status": stored.response_status,
        "error": stored.error,
        "occurred_at": stored.at,
        "created_at": stored.created_at,
        "ended_at": stored.ended_at,
    }


def whole_delivery(stored: StoredDelivery) -> WholeDeliveryView:
    return {
        **delivery(stored),
        "payload": {"type": stored.type, "timestamp": stored.at, "data": stored.data},
        "history": cast("Sequence[WebhookCallView]", stored.history),
    }


def delivery_page(found: Sequence[StoredDelivery], size: int) -> DeliveryPage:
    """`found` has one more than `size` where the page is not the last."""
    return {
        "data": [delivery(stored) for stored in found[:size]],
        "next_cursor": str(found[size - 1].id) if len(found) > size else None,
    }
