"""The notification: its channels, priorities and statuses, and its shapes from draft to claim."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from enum import StrEnum
from operator import attrgetter
from typing import Any
from uuid import UUID

from notistream.domain.preference import Preferences


class Status(StrEnum):
    """Where a notification is on its way."""

    PENDING = "pending"
    SCHEDULED = "scheduled"
    PROCESSING = "processing"
    RETRYING = "retrying"
    DEFERRED = "deferred"
    DELIVERED = "delivered"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SUPPRESSED = "suppressed"
    EXPIRED = "expired"
    UNKNOWN = "unknown"


TERMINAL = frozenset(
    {Status.DELIVERED, Status.FAILED, Status.CANCELLED, Status.SUPPRESSED, Status.EXPIRED}
)


class Priority(StrEnum):
    """How urgent a notification is; each priority has topics and lanes of its own."""

    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


MAX_RETRIES: Mapping[Priority, int] = {Priority.HIGH: 5, Priority.NORMAL: 3, Priority.LOW: 2}


class OnUnknown(StrEnum):
    """What to do when nobody knows whether the provider took the message."""

    RESEND = "resend"
    HOLD = "hold"


class AddressKind(StrEnum):
    """What a channel sends to, and which rule checks it."""

    PHONE = "phone"
    EMAIL = "email"
    DEVICE = "push_token"
    RECIPIENT_ID = "recipient_id"


@dataclass(frozen=True, slots=True)
class Channel:
    """One row of the table of channels."""

    name: str
    address: AddressKind
    max_length: int
    aliases: tuple[str, ...] = ()


CHANNELS: Mapping[str, Channel] = {
    channel.name: channel
    for channel in (
        Channel("sms", AddressKind.PHONE, 160),
        Channel("email", AddressKind.EMAIL, 10_000),
        Channel("push", AddressKind.DEVICE, 4_096),
        Channel("in_app", AddressKind.RECIPIENT_ID, 4_096, aliases=("inapp",)),
    )
}
CHANNEL_NAMES: Mapping[str, str] = {
    name: channel.name for channel in CHANNELS.values() for name in (channel.name, *channel.aliases)
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a caller may ask for: the fields that requests, drafts and rows have in common.

    They stand here once. A request becomes a draft, and a draft a notification, by `shared`.
    """

    channel: str
    recipient: str | None = None
    recipient_id: str | None = None
    content: str | None = None
    subject: str | None = None
    template_variables: Mapping[str, Any] = field(default_factory=dict)
    locale: str | None = None
    """Language of the text; None: the recipient's."""
    priority: Priority = Priority.NORMAL
    scheduled_at: datetime | None = None
    expires_at: datetime | None = None
    idempotency_key: str | None = None
    category: str | None = None
    type: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    on_unknown: OnUnknown = OnUnknown.RESEND


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification(Wanted):
    """An accepted notification: what was asked for, whose it is, and its template version."""

    id: UUID
    tenant_id: UUID
    batch_id: UUID | None = None
    template_id: UUID | None = None
    template_name: str | None = None
    template_version: int | None = None
    correlation_id: str | None = None
    test: bool = False
    """Accepted with a test key: it never reaches a real provider."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewNotification(Notification):
    """A notification that is ready to be stored."""

    traceparent: str | None = None


def shared(value: Wanted, kind: type[Wanted]) -> dict[str, Any]:
    """The fields of `kind` as `value` has them, to build a value of another kind with."""
    names, read = _READERS[kind]
    return dict(zip(names, read(value)))  # noqa: B905 - as many of both, and this is the hot path


def _reader(kind: type[Wanted]) -> tuple[Sequence[str], Callable[[object], Sequence[Any]]]:
    names = tuple(f.name for f in fields(kind))
    return names, attrgetter(*names)


_READERS = {kind: _reader(kind) for kind in (Wanted, Notification)}


NO_WISHES = Preferences()


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A notification that this worker owns until its lease ends, with all that delivery needs."""

    id: UUID
    tenant_id: UUID
    channel: str
    priority: Priority
    recipient: str | None
    recipient_id: str | None
    content: str | None
    subject: str | None
    template_id: UUID | None
    template_name: str | None
    template_version: int | None
    template_variables: Mapping[str, Any]
    expires_at: datetime | None
    category: str | None
    on_unknown: OnUnknown
    correlation_id: str | None
    traceparent: str | None
    chain: int
    attempts: int
    """Provider calls begun in this chain, this one included."""
    lease_token: UUID
    claimed_at: datetime
    """The database's clock when the lease began."""
    next_provider: str | None = None
    """Whose turn it is after a failover; None: the first of the channel's providers."""
    timezone: str | None = None
    """The recipient's IANA zone, where one is stored."""
    preferences: Preferences = NO_WISHES
    preferences_fault: str | None = None
    """Why the stored preferences cannot be read, where they cannot."""
    suppressed: str | None = None
    """Why the address is on the suppression list, where it is."""
    claimed_clock: float | None = None
    """This process's monotonic clock at `claimed_at`, or a moment before."""
    locale: str | None = None
    """Language of the text: the sender's choice, or else the recipient's."""
    test: bool = False
    """Accepted with a test key: it never reaches a real provider."""
    devices: Sequence[str] = ()
    """Push tokens of the stored recipient, oldest first, that are all to be tried.

    Empty: `recipient` is sent to.
    """
    erased: bool = False
    """Its recipient was erased, and with it what was to be said."""
    call_before: float = math.inf
    """This process's monotonic clock: later than this, the lease does not cover a provider call."""

    @property
    def provider_key(self) -> str:
        """Idempotency key for the provider: the id, and after a replay the chain too."""
        return str(self.id) if self.chain == 1 else f"{self.id}:{self.chain}"
