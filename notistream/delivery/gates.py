"""The gates between a claim and the provider, in order; each looks at the claimed notification and decides."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from notistream.domain.notification import CHANNELS, Claimed, Status
from notistream.domain.outcome import Step


@dataclass(frozen=True, slots=True)
class Passed:
    """Nothing against it."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """Not sent now: the next status, when it is due again (seconds), and the line of the trace that says why."""

    step: Step
    status: Status
    delay_s: float | None = None


PASSED = Passed()
Gate = Callable[[Claimed], Passed | Stopped]


def not_expired(claimed: Claimed) -> Passed | Stopped:
    """`expires_at` wins over everything that made the notification wait."""
    if claimed.expires_at is None or claimed.claimed_at < claimed.expires_at:
        return PASSED
    return Stopped(
        Step(gate="expiry", verdict="expired", reason=f"expired at {claimed.expires_at.isoformat()}"), Status.EXPIRED)


def has_address(claimed: Claimed) -> Passed | Stopped:
    """A recipient id must lead to an address of the channel."""
    if claimed.recipient is not None:
        return PASSED
    kind = CHANNELS[claimed.channel].address.value.replace("_", " ")
    reason = f"recipient {claimed.recipient_id!r} has no {kind}"
    return Stopped(Step(gate="address", verdict="failed", reason=reason), Status.FAILED)


GATES: Sequence[Gate] = (not_expired, has_address)
