"""The suppression: an address of a channel that must not be sent to, and why."""

from enum import StrEnum

from notistream.domain.notification import CHANNELS
from notistream.domain.validation import ADDRESS_CHECKS

MAX_ADDRESS_BYTES = 2000  # it is part of a primary key


class SuppressionReason(StrEnum):
    """What put an address on the list."""

    BOUNCE = "bounce"
    COMPLAINT = "complaint"
    UNSUBSCRIBE = "unsubscribe"
    MANUAL = "manual"


def address_error(channel: str, address: str) -> str | None:
    """What is wrong with an address of a channel, as far as its suppression goes."""
    if len(address.encode()) > MAX_ADDRESS_BYTES:
        return f"must have at most {MAX_ADDRESS_BYTES} bytes"
    return ADDRESS_CHECKS[CHANNELS[channel].address](address)
