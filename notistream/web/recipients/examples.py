"""Examples of the OpenAPI document for recipients."""

from notistream.db.recipients import StoredRecipient
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

RECIPIENT_SHOWN = {"recipient": views.recipient(STORED)}
ERASED = {"erased": views.erased(Erased(notifications=12, cancelled=1))}
RECIPIENT_PAGE = {"page": views.recipient_page([STORED, STORED], 1)}
DEVICE_SHOWN = {
    "registered": views.device_token(
        "device-token-user-123", recipient_id="user-123", platform="ios"
    )
}
