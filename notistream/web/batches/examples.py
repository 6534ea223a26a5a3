"""Examples of the OpenAPI document for batches."""

from dataclasses import replace
from uuid import UUID

from notistream.db.records import StoredBatch
from notistream.domain.notification import Priority
from notistream.errors import FieldError, InvalidRequest
from notistream.web.batches import views
from notistream.web.notifications.examples import NOW, PENDING, TENANT, TRACE_ID
from notistream.web.notifications.views import notification
from notistream.web.server import problems

BATCH_ID = UUID("01970000-0000-7000-8000-0000000000bb")

BATCH = {
    "notifications": [
        {"channel": "email", "recipient": "a@example.com", "content": "Batch email"},
        {"channel": "sms", "recipient": "0500", "content": "Batch SMS"},
    ]
}

IN_BATCH = replace(
    PENDING, batch_id=BATCH_ID, channel="email", priority=Priority.NORMAL, recipient="a@example.com"
)

STORED_BATCH = StoredBatch(
    id=BATCH_ID,
    tenant_id=TENANT,
    total_count=1,
    rejected_count=1,
    created_at=NOW,
    statuses={"pending": 1},
)

BATCH_SHOWN = {"under way": views.batch(STORED_BATCH)}

BATCH_ACCEPTED = {
    "one accepted, one refused": {
        "batch": views.batch(STORED_BATCH),
        "notifications": [
            notification(IN_BATCH),
            problems.problem(
                InvalidRequest([FieldError("/recipient", "must be a phone number in E.164 form")]),
                trace_id=TRACE_ID,
                below="/notifications/1",
            ),
        ],
    }
}


BULK = {
    "channel": "email",
    "template_id": "welcome",
    "category": "marketing",
    "payload": {"name": "there"},
    "recipients": [
        {"recipient_id": "user-123", "payload": {"name": "Alice"}},
        {"recipient": "bob@example.com"},
    ],
}
