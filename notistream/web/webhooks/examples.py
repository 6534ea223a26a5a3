"""Examples of the OpenAPI document for webhooks."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from notistream.db.webhook_deliveries import StoredDelivery
from notistream.db.webhooks import StoredEndpoint
from notistream.web.notifications.examples import ID, NOW, TENANT
from notistream.web.webhooks import views

ENDPOINT_ID, DELIVERY_ID, EVENT_ID = (
    UUID(f"01970000-0000-7000-8000-0000000000d{n}") for n in range(3)
)
URL = "https://example.com/hooks/notistream"

ALL_EVENTS = {"url": URL}
SOME_EVENTS = {
    "url": URL,
    "description": "orders",
    "events": ["notification.failed", "notification.expired"],
    "secret": "a secret of our own",
}
OFF = {"url": URL, "is_active": False}
OWN_SECRET = {"secret": "another secret of our own"}
ONE = {"delivery_id": DELIVERY_ID}
SPAN = {"since": NOW, "until": NOW + timedelta(hours=1)}
EVERYTHING = {"since": NOW, "status": "all"}

STORED = StoredEndpoint(
    id=ENDPOINT_ID,
    tenant_id=TENANT,
    url=URL,
    description="orders",
    events=[],
    is_active=True,
    secret="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",  # noqa: S106
    old_secret_until=None,
    failing_since=None,
    disabled_at=None,
    disabled_reason=None,
    created_at=NOW,
    updated_at=NOW,
)
GONE = replace(
    STORED,
    is_active=False,
    disabled_at=NOW,
    disabled_reason="it answered 410 Gone",
    failing_since=NOW,
)
DELIVERY = StoredDelivery(
    id=DELIVERY_ID,
    tenant_id=TENANT,
    endpoint_id=ENDPOINT_ID,
    event_id=EVENT_ID,
    type="notification.delivered",
    at=NOW,
    data={
        "notification_id": str(ID),
        "status": "delivered",
        "channel": "sms",
        "priority": "high",
        "attempts": 1,
        "chain": 1,
        "provider": "webhook",
        "provider_message_id": "m-1",
    },
    status="delivered",
    attempts=1,
    due_at=None,
    response_status=204,
    error=None,
    history=[
        {"number": 1, "at": NOW, "duration_ms": 12.5, "status": 204, "error": None, "response": ""}
    ],
    created_at=NOW,
    ended_at=NOW,
)
WAITING = replace(
    DELIVERY,
    status="pending",
    due_at=NOW + timedelta(seconds=5),
    response_status=503,
    error="HTTP 503",
    ended_at=None,
    history=[
        {
            "number": 1,
            "at": NOW,
            "duration_ms": 12.5,
            "status": 503,
            "error": "HTTP 503",
            "response": "busy",
        }
    ],
)

CREATED = {"created": views.with_secret(STORED)}
SHOWN = {"endpoint": views.endpoint(STORED), "switched off": views.endpoint(GONE)}
PAGE = {"page": views.endpoint_page([STORED, STORED], 1)}
DELIVERIES = {"page": views.delivery_page([WAITING, DELIVERY, DELIVERY], 2)}
DELIVERY_SHOWN = {
    "delivered": views.whole_delivery(DELIVERY),
    "waiting": views.whole_delivery(WAITING),
}
QUEUED = {
    "queued": views.delivery(
        replace(WAITING, attempts=0, response_status=None, error=None, history=[])
    )
}
REDELIVERED = {"queued": views.Redelivered(count=3)}
