"""Examples of the OpenAPI document: what is sent, and what the renderers make of it."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

from notistream.db.records import StoredAttempt, StoredBatch, StoredNotification, StoredTemplate
from notistream.db.stats import ChannelTotals
from notistream.domain.notification import CHANNELS, OnUnknown, Priority
from notistream.domain.template_text import TemplateText, TemplateVersion
from notistream.errors import FieldError, InvalidRequest
from notistream.recording.trace import timeline
from notistream.web.notifications import rendering
from notistream.web.server import problems

NOW = datetime(2026, 1, 31, 9, 0, tzinfo=UTC)
TENANT, ID = (
    UUID("01970000-0000-7000-8000-000000000001"),
    UUID("01970000-0000-7000-8000-0000000000aa"),
)
BATCH_ID, TEMPLATE_ID = (
    UUID("01970000-0000-7000-8000-0000000000bb"),
    UUID("01970000-0000-7000-8000-0000000000cc"),
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
BATCH = {
    "notifications": [
        {"channel": "email", "recipient": "a@example.com", "content": "Batch email"},
        {"channel": "sms", "recipient": "0500", "content": "Batch SMS"},
    ]
}
TEMPLATE = {
    "name": "welcome_email",
    "channel": "email",
    "body": "Hello {{.Name}}, welcome! Your code: {{.Code}}.",
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
IN_BATCH = replace(
    PENDING, batch_id=BATCH_ID, channel="email", priority=Priority.NORMAL, recipient="a@example.com"
)
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
STORED_BATCH = StoredBatch(
    id=BATCH_ID,
    tenant_id=TENANT,
    total_count=1,
    rejected_count=1,
    created_at=NOW,
    statuses={"pending": 1},
)
STORED_TEMPLATE = StoredTemplate(
    id=TEMPLATE_ID,
    tenant_id=TENANT,
    name="welcome_email",
    channel="email",
    version=1,
    content=TemplateVersion(TemplateText(None, TEMPLATE["body"])),
    metadata={},
    is_active=True,
    created_at=NOW,
    updated_at=NOW,
)

ACCEPTED = {"accepted": rendering.notification(PENDING)}
SHOWN = {"delivered": rendering.notification(DELIVERED)}
CANCELLATION = {"cancelled": rendering.notification(CANCELLED)}
PAGE = {"page": {"data": [rendering.notification(DELIVERED)], "next_cursor": str(ID)}}
BATCH_SHOWN = {"under way": rendering.batch(STORED_BATCH)}
BATCH_ACCEPTED = {
    "one accepted, one refused": {
        "batch": rendering.batch(STORED_BATCH),
        "notifications": [
            rendering.notification(IN_BATCH),
            problems.problem(
                InvalidRequest([FieldError("/recipient", "must be a phone number in E.164 form")]),
                trace_id=TRACE_ID,
                below="/notifications/1",
            ),
        ],
    }
}
TRACED = {"delivered": rendering.trace(timeline(DELIVERED, [], [ATTEMPT]))}
FIGURES = {
    "figures": rendering.figures(
        {
            name: ChannelTotals(1200, 3, 9640.0) if name == "sms" else ChannelTotals()
            for name in CHANNELS
        }
    )
}
ALIVE = {"alive": {"status": "alive"}}
READY = {"ready": {"status": "ready", "checks": {"database": "healthy", "kafka": "healthy"}}}
NOT_READY = {
    "not ready": {
        "status": "not_ready",
        "checks": {"database": "healthy", "kafka": "unreachable: no broker answers"},
    }
}
