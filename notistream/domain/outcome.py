"""What a provider call, and then a whole delivery, came to."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from notistream.domain.notification import Status


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider accepted the message."""

    message_id: str | None = None


Receipt = Accepted
"""Former name of `Accepted`; installed plug-ins import it."""


@dataclass(frozen=True, slots=True)
class Temporary:
    """The provider could not take it now; it may later, not before `retry_after_s` seconds."""

    reason: str
    retry_after_s: float | None = None
    throttled: bool = False
    """It is there, and asks for fewer calls."""


@dataclass(frozen=True, slots=True)
class Permanent:
    """The provider refused it, and would again."""

    reason: str
    dead_address: bool = False
    """The address itself is dead: no provider is to send anything there."""


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """The request went out, and nobody knows what became of it."""

    reason: str


ProviderResult = Accepted | Temporary | Permanent | Ambiguous


class AttemptOutcome(StrEnum):
    """How one attempt ended, as its row says."""

    DELIVERED = "delivered"
    TEMPORARY = "temporary"
    PERMANENT = "permanent"
    UNKNOWN = "unknown"
    NOT_CALLED = "not_called"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One line of the decision trace: a gate, what it looked at, what it said and why."""

    gate: str
    verdict: str
    reason: str
    inputs: Mapping[str, Any] = field(default_factory=dict)
    next_eligible_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finish:
    """How a claimed delivery ends: the new status, why, and what its attempt row says."""

    status: Status
    reason: str | None = None
    delay_s: float | None = None
    """Seconds until it is due again; for `retrying` and `deferred`."""
    outcome: AttemptOutcome
    error: str | None = None
    provider: str | None = None
    next_provider: str | None = None
    """Whose turn it is when it is tried again; None: the first of the channel's."""
    provider_message_id: str | None = None
    duration_ms: float | None = None
    subject: str | None = None
    content: str | None = None
    """The rendered text, where it was rendered."""
    steps: tuple[Step, ...] = ()
    dead_addresses: tuple[str, ...] = ()
    """Addresses that are dead, as the provider says."""
