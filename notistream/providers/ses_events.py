"""Receipts from SES: events of a configuration set or an identity that come through SNS."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from notistream.domain.receipt import ProviderReceipt, ReceiptState
from notistream.providers.api import UnreadableCallbackError


@dataclass(frozen=True, slots=True)
class EventKind:
    """A type of event: what it means, and in which object of the event its details are."""

    state: ReceiptState
    details: str


KINDS: Mapping[str, EventKind] = {
    "Delivery": EventKind(ReceiptState.DELIVERED, "delivery"),
    "DeliveryDelay": EventKind(ReceiptState.DELAYED, "deliveryDelay"),
    "Bounce": EventKind(ReceiptState.UNDELIVERED, "bounce"),
    "Reject": EventKind(ReceiptState.UNDELIVERED, "reject"),
    "Complaint": EventKind(ReceiptState.COMPLAINED, "complaint"),
    "Open": EventKind(ReceiptState.READ, "open"),
    "Click": EventKind(ReceiptState.READ, "click"),
}
"""Other types (Send, Rendering Failure, Subscription) say nothing about a delivery."""
PERMANENT = "Permanent"
"""The bounceType that means: there is no such address."""


def read(message: str) -> Sequence[ProviderReceipt]:
    """The receipt of one event; none where it is not about a delivery.

    Raises:
        UnreadableCallbackError: it is not what SES documents.
    """
    try:
        event = orjson.loads(message)
    except orjson.JSONDecodeError:
        # SES itself says so in plain words when notifications are switched on.
        if message.startswith("Successfully validated SNS topic"):
            return ()
        raise UnreadableCallbackError("the message is not JSON") from None
    if not isinstance(event, dict):
        raise UnreadableCallbackError("the message is not an event of SES")
    name = event.get("eventType") or event.get("notificationType")
    kind = KINDS.get(name) if isinstance(name, str) else None
    if kind is None:
        return ()
    return (_receipt(event, kind),)


def _receipt(event: Mapping[str, Any], kind: EventKind) -> ProviderReceipt:
    id_ = _object(event, "mail").get("messageId")
    if not isinstance(id_, str) or not id_:
        raise UnreadableCallbackError("mail.messageId is missing")
    details = _object(event, kind.details)
    bounced = kind.details == "bounce" and details.get("bounceType") == PERMANENT
    return ProviderReceipt(
        message_id=id_,
        state=ReceiptState.BOUNCED if bounced else kind.state,
        at=_moment(details.get("timestamp")),
        detail=_words(details),
        address=_address(details),
    )


def _words(details: Mapping[str, Any]) -> str | None:
    """SES's own classes; what the receiving server said would name the recipient."""
    names = (
        "bounceType",
        "bounceSubType",
        "complaintFeedbackType",
        "complaintSubType",
        "delayType",
        "reason",
    )
    words = [details[name] for name in names if isinstance(details.get(name), str)]
    statuses = [r["status"] for r in _recipients(details) if isinstance(r.get("status"), str)]
    return " ".join(words + statuses[:1]) or None


def _address(details: Mapping[str, Any]) -> str | None:
    """The one recipient: we send to one at a time."""
    found = [
        r["emailAddress"] for r in _recipients(details) if isinstance(r.get("emailAddress"), str)
    ]
    return found[0] if len(found) == 1 else None


def _recipients(details: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    lists = (
        details.get(name)
        for name in ("bouncedRecipients", "complainedRecipients", "delayedRecipients")
    )
    return [
        item
        for found in lists
        if isinstance(found, list)
        for item in found
        if isinstance(item, dict)
    ]


def _object(event: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = event.get(name)
    return found if isinstance(found, dict) else {}


def _moment(value: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return moment if moment and moment.tzinfo else None
