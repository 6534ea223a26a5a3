"""Examples of the OpenAPI document around recipients."""

from collections.abc import Mapping
from typing import Any

from notistream.db.preferences import StoredPreferences
from notistream.db.recipients import StoredRecipient
from notistream.db.suppressions import StoredSuppression
from notistream.recipients.erasure import Erased
from notistream.web.notifications.examples import NOW
from notistream.web.recipients import views

CONTACT = {
    "email": "user-123@example.com",
    "phone": "+905000000001",
    "push_tokens": ["device-token-user-123"],
    "timezone": "Europe/Istanbul",
    "locale": "en",
}
DEVICE = {"recipient_id": "user-123", "token": "device-token-user-123"}
DEVICE_OF_USER = {"user_id": "user-123", "token": "device-token-user-123", "platform": "ios"}
FORGET_DEVICE = {"token": "device-token-user-123"}
PREFERENCES: Mapping[str, Any] = {
    "channels": {
        "email": {
            "enabled": True,
            "quiet_hours": {"start": "22:00", "end": "08:00"},
            "frequency_cap": {"count": 5, "per": "day"},
        }
    },
    "categories": {"marketing": False},
}
USER_PREFERENCE = {
    "channel": "email",
    "enabled": True,
    "quiet_hours_start": "22:00",
    "quiet_hours_end": "08:00",
    "frequency_cap": 5,
    "frequency_window_minutes": 60,
    "timezone": "Europe/Istanbul",
}
USER_PREFERENCES = {"preferences": [USER_PREFERENCE, {"channel": "sms", "enabled": False}]}
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

STORED = StoredRecipient(
    id="user-123",
    email="user-123@example.com",
    phone="+905000000001",
    push_tokens=["device-token-user-123"],
    timezone="Europe/Istanbul",
    locale="en",
    created_at=NOW,
    updated_at=NOW,
)
WISHES = StoredPreferences(**PREFERENCES)
SUPPRESSION = StoredSuppression(
    channel="email",
    address="gone@example.com",
    reason="bounce",
    note="550 no such user",
    created_at=NOW,
)

RECIPIENT_SHOWN = {"recipient": views.recipient(STORED)}
ERASED = {"erased": views.erased(Erased(notifications=12, cancelled=1))}
RECIPIENT_PAGE = {"page": views.recipient_page([STORED, STORED], 1)}
DEVICE_SHOWN = {
    "registered": views.device_token(
        "device-token-user-123", recipient_id="user-123", platform="ios"
    )
}
PREFERENCES_SHOWN = {"preferences": views.preferences(WISHES)}
USER_PREFERENCES_SHOWN = {
    "preferences": views.user_preferences(WISHES, user_id="user-123", timezone="Europe/Istanbul")
}
SUPPRESSION_SHOWN = {"suppressed": views.suppression(SUPPRESSION)}
SUPPRESSION_PAGE = {"page": views.suppression_page([SUPPRESSION], 1)}
