"""The suppression: an address of a channel that must not be sent to, and why."""

from enum import StrEnum

from notistream.domain.notification import CHANNELS
from notistream.domain.validation import ADDRESS_CHECKS, name_error

MAX_ADDRESS_BYTES = 2000  # it is part of a primary key
MAX_CATEGORY_BYTES = 500  # so is this


class SuppressionReason(StrEnum):
    """What put an address on the list."""

    BOUNCE = "bounce"
    COMPLAINT = "complaint"
    UNSUBSCRIBE = "unsubscribe"
    MANUAL = "manual"


def category_error(category: str) -> str | None:
    """What is wrong with the category that a suppression is for."""
    too_long = (
        f"must have at most {MAX_CATEGORY_BYTES} bytes"
        if len(category.encode()) > MAX_CATEGORY_BYTES
        else None
    )
    return name_error(category) or too_long


def address_error(channel: str, address: str) -> str | None:
    """What is wrong with an address of a channel, as far as its suppression goes."""
    if len(address.encode()) > MAX_ADDRESS_BYTES:
        return f"must have at most {MAX_ADDRESS_BYTES} bytes"
    return ADDRESS_CHECKS[CHANNELS[channel].address](address)
