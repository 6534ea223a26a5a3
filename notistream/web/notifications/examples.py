"""Examples of the OpenAPI document for notifications."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from notistream.db.records import StoredAttempt, StoredNotification
from notistream.domain.notification import OnUnknown, Priority
from notistream.recording.trace import timeline
from notistream.web.notifications import trace_views, views

NOW = datetime(2026, 1, 31, 9, 0, tzinfo=UTC)
TENANT, ID = (
    UUID("01970000-0000-7000-8000-000000000001"),
    UUID("01970000-0000-7000-8000-0000000000aa"),
)
TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"

SMS = {
    "channel": "sms",
    "recipient": "+905000000000",
    "content": "Your code is 1234",
    "priority": "high",
}
TEMPLATED = {
    "channel": "email",
    "recipient": "mehmet@example.com",
    "content": "fallback",
    "template_id": "welcome_email",
    "template_variables": {"Name": "Mehmet", "Code": "42"},
}
STORED_CONTACT = {
    "recipient_id": "user-123",
    "channel": "email",
    "template_id": "welcome",
    "payload": {"name": "Alice"},
}

PENDING = StoredNotification(
    id=ID,
    tenant_id=TENANT,
    batch_id=None,
    channel="sms",
    priority=Priority.HIGH,
    status="pending",
    seq=1,
    chain=1,
    attempts=0,
    recipient="+905000000000",
    recipient_id=None,
    subject=None,
    content="Your code is 1234",
    template_id=None,
    template_name=None,
    template_version=None,
    template_variables={},
    category=None,
    type=None,
    metadata={},
    on_unknown=OnUnknown.RESEND,
    idempotency_key=None,
    locale=None,
    test=False,
    correlation_id="checkout-7",
    reason=None,
    error_message=None,
    provider=None,
    provider_message_id=None,
    scheduled_at=None,
    expires_at=None,
    due_at=None,
    sent_at=None,
    failed_at=None,
    created_at=NOW,
    updated_at=NOW,
)
DELIVERED = replace(
    PENDING,
    status="delivered",
    attempts=1,
    provider="webhook",
    provider_message_id="m-1",
    sent_at=NOW,
)
CANCELLED = replace(PENDING, status="cancelled", reason="cancelled by the sender")
ATTEMPT = StoredAttempt(
    chain=1,
    number=1,
    provider="webhook",
    started_at=NOW,
    ended_at=NOW,
    duration_ms=12.5,
    outcome="delivered",
    error=None,
    late_outcome=None,
    late_at=None,
    steps=[{"gate": "expiry", "verdict": "passed", "reason": "it has not expired"}],
)

LATER = NOW + timedelta(hours=9)

SCHEDULED = replace(
    PENDING,
    status="scheduled",
    seq=2,
    reason="rescheduled by the sender",
    scheduled_at=LATER,
    due_at=LATER,
)

RESOLVED = replace(DELIVERED, reason="resolved by the sender: it was delivered")

AGAIN = replace(PENDING, seq=2, chain=2)


ACCEPTED = {"accepted": views.notification(PENDING)}
SHOWN = {"delivered": views.notification(DELIVERED)}
CANCELLATION = {"cancelled": views.notification(CANCELLED)}
PAGE = {"page": {"data": [views.notification(DELIVERED)], "next_cursor": str(ID)}}
TRACED = {"delivered": trace_views.trace(timeline(DELIVERED, [], [ATTEMPT]))}
