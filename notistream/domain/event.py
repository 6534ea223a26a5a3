"""The event: something that happened and that others may be told of.

How the topic `events` carries it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, TypeAdapter, ValidationError

TYPES: Mapping[str, str] = {
    "notification.delivered": "The provider accepted it.",
    "notification.failed": (
        "It was refused for good, or every retry was used up; there is a dead letter."
    ),
    "notification.suppressed": "Preferences, the suppression list or an erasure said no.",
    "notification.cancelled": "Somebody cancelled it, or recalled its template, batch or category.",
    "notification.expired": "`expires_at` came first.",
    "notification.retrying": "The provider could not take it now; it is tried again.",
    "notification.deferred": (
        "A gate holds it back until a moment that is known: quiet hours, a cap, a limit, a pause."
    ),
    "notification.unknown": "The call was cut off: nobody knows whether it arrived.",
    "notification.receipt": (
        "The vendor told more of a delivered one; `GET /api/v1/notifications/{id}` has it."
    ),
    "device_token.deactivated": "A provider said that a push token is no good any more.",
}
"""Each type of event, and when it is told."""

NOTIFICATION_DATA: Mapping[str, str] = {
    "notification_id": "Of the notification.",
    "status": "The status that it has come to.",
    "reason": "Why, in words; no address and no text.",
    "channel": "sms, email, push or in_app.",
    "priority": "high, normal or low.",
    "recipient_id": "Of the stored recipient.",
    "batch_id": "Of the batch that it came in.",
    "category": "As the sender gave it.",
    "attempts": "Provider calls begun in this chain.",
    "chain": "1, and one more after each replay or resend.",
    "provider": "The provider of the last call.",
    "provider_message_id": "What the provider calls the message.",
    "test": "`true` for what was sent with a test key.",
}
"""`data` of an event `notification.…`; what is not known is left out."""

DEVICE_DATA: Mapping[str, str] = {
    "recipient_id": "Whose device it was.",
    "device": "The first 16 digits of the token's SHA-256.",
    "platform": "As it was registered.",
    "notification_id": "Of the notification whose delivery showed it.",
}
"""`data` of `device_token.deactivated`."""


@dataclass(frozen=True, slots=True)
class Event:
    """`id` stays the same when it is told again.

    `type` is one of TYPES, and says which fields `data` may have.
    """

    id: UUID
    type: str
    at: AwareDatetime
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Events:
    """What one record of the topic carries: events of one tenant, oldest first."""

    v: Literal[1]
    tenant_id: UUID
    events: list[Event]


_EVENTS = TypeAdapter(Events)


def decode_events(value: bytes | None) -> Events:
    """The events of a record's bytes.

    Raises:
        ValueError: no bytes, not JSON, a missing or wrong field, or an unknown version.
    """
    if value is None:
        raise ValueError("the record has no value")
    try:
        return _EVENTS.validate_json(value)
    except ValidationError as exc:
        first = exc.errors(include_url=False, include_input=False)[0]
        raise ValueError(f"{'.'.join(map(str, first['loc'])) or 'value'}: {first['msg']}") from None
