"""Examples of the OpenAPI document for the suppression list."""

from notistream.db.suppressions import StoredSuppression
from notistream.web.notifications.examples import NOW
from notistream.web.suppressions import views

BOUNCED = {
    "channel": "email",
    "address": "gone@example.com",
    "reason": "bounce",
    "note": "550 no such user",
}

OPTED_OUT = {
    "channel": "email",
    "address": "gone@example.com",
    "category": "marketing",
    "reason": "unsubscribe",
}

COMPLAINED = {"reason": "complaint", "note": "asked support to be left alone"}

SUPPRESSED = {"channel": "email", "address": "gone@example.com"}

STORED = StoredSuppression(
    channel="email",
    address="gone@example.com",
    reason="bounce",
    note="550 no such user",
    created_at=NOW,
)

SUPPRESSION_SHOWN = {"suppressed": views.suppression(STORED)}

SUPPRESSION_PAGE = {"page": views.suppression_page([STORED], 1)}
