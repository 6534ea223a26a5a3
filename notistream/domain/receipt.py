"""The receipt: what a vendor reports after acceptance, and which report outweighs which."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from notistream.domain.suppression import SuppressionReason


class ReceiptState(StrEnum):
    """What became of the message."""

    SENT = "sent"
    """Handed on to the next network."""
    DELAYED = "delayed"
    """The vendor still tries."""
    UNDELIVERED = "undelivered"
    """Given up; another message to this address may arrive."""
    DELIVERED = "delivered"
    READ = "read"
    BOUNCED = "bounced"
    """There is no such address, or it takes nothing."""
    COMPLAINED = "complained"
    """The recipient calls it spam."""


RANK: Mapping[ReceiptState, int] = {state: rank for rank, state in enumerate(ReceiptState)}
"""A receipt replaces only one of lower rank, so that late and repeated ones change nothing."""

MAX_CHAIN = 1_000_000

SUPPRESSES: Mapping[ReceiptState, SuppressionReason] = {
    ReceiptState.BOUNCED: SuppressionReason.BOUNCE,
    ReceiptState.COMPLAINED: SuppressionReason.COMPLAINT,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderReceipt:
    """One receipt as a provider reads it out of a vendor's callback.

    `message_id` is what `send` returned; `key` the idempotency key that it was called with, where
    the vendor echoes it: then the receipt is found even where the answer to the call was lost.
    `detail` is in the vendor's words and names no person. `address` serves the suppression list
    where the sender only named a stored recipient.
    """

    message_id: str
    state: ReceiptState
    at: datetime | None = None
    """By the vendor's clock; None: when it came in."""
    detail: str | None = None
    address: str | None = None
    key: str | None = None


def outweighed(state: ReceiptState) -> tuple[ReceiptState, ...]:
    """The states that this one takes the place of."""
    return tuple(other for other in ReceiptState if RANK[other] < RANK[state])


def sent_as(key: str | None) -> tuple[UUID, int] | None:
    """Notification and chain of an idempotency key, see `Claimed.provider_key`.

    None where it is none of ours.
    """
    if key is None:
        return None
    id_, _, chain = key.partition(":")
    try:
        found = UUID(id_), int(chain or 1)
    except ValueError:
        return None
    return found if 1 <= found[1] <= MAX_CHAIN else None
