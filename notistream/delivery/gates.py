"""The checks before a provider call that need nothing but the claimed notification."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfoNotFoundError

from notistream.domain.notification import CHANNELS, Claimed, Priority, Status
from notistream.domain.outcome import Step
from notistream.domain.preference import zone_of
from notistream.domain.validation import CONTROL

CRITICAL = "critical"
ERASED = "the recipient was erased"


@dataclass(frozen=True, slots=True)
class Passed:
    """It may go on; with a line for the trace where the gate had something to say."""

    step: Step | None = None


@dataclass(frozen=True, slots=True)
class Stopped:
    """Not sent now: the line of the trace that says why, and the next status.

    `delay_s` is how many seconds later it is due again.
    """

    step: Step
    status: Status
    delay_s: float | None = None


PASSED = Passed()
Gate = Callable[[Claimed], Passed | Stopped]


def not_expired(claimed: Claimed) -> Passed | Stopped:
    """`expires_at` wins over every reason to wait."""
    if claimed.expires_at is None or claimed.claimed_at < claimed.expires_at:
        return PASSED
    return _stop("expiry", Status.EXPIRED, f"expired at {claimed.expires_at.isoformat()}")


def not_suppressed(claimed: Claimed) -> Passed | Stopped:
    """Nothing is sent to an address on the suppression list, nor to an erased recipient."""
    if claimed.erased:
        return _stop("suppression", Status.SUPPRESSED, ERASED)
    if claimed.suppressed is None:
        return PASSED
    return _stop(
        "suppression",
        Status.SUPPRESSED,
        f"the address is on the suppression list: {claimed.suppressed}",
    )


def wanted(claimed: Claimed) -> Passed | Stopped:
    """The recipient wants this channel and this category."""
    if claimed.preferences_fault:
        return _stop(
            "preferences",
            Status.FAILED,
            f"the recipient's preferences cannot be read: {claimed.preferences_fault}",
        )
    if not claimed.preferences.of(claimed.channel).enabled:
        return _stop(
            "preferences", Status.SUPPRESSED, f"the recipient has turned {claimed.channel} off"
        )
    if not claimed.preferences.wants(claimed.category):
        return _stop(
            "preferences",
            Status.SUPPRESSED,
            f"the recipient has turned the category {claimed.category!r} off",
            {"category": claimed.category},
        )
    return PASSED


def has_address(claimed: Claimed) -> Passed | Stopped:
    """A recipient id must lead to an address of the channel; an address is one line."""
    if claimed.recipient is not None:
        if CONTROL.search(claimed.recipient):  # stored before that was refused, or by hand
            return _stop("address", Status.FAILED, "the address has control characters")
        return PASSED
    kind = CHANNELS[claimed.channel].address.value.replace("_", " ")
    return _stop("address", Status.FAILED, f"recipient {claimed.recipient_id!r} has no {kind}")


def outside_quiet_hours(claimed: Claimed) -> Passed | Stopped:
    """In quiet hours a message waits for their end, unless it is urgent and critical."""
    quiet = claimed.preferences.of(claimed.channel).quiet_hours
    if quiet is None:
        return PASSED
    try:
        zone = zone_of(claimed.timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        zone = zone_of(None)
    inputs = {
        "start": f"{quiet.start:%H:%M}",
        "end": f"{quiet.end:%H:%M}",
        "timezone": zone.key,
        "local_time": f"{claimed.claimed_at.astimezone(zone):%Y-%m-%dT%H:%M:%S%z}",
    }
    ends_at = quiet.ends_at(claimed.claimed_at, zone)
    if ends_at is None:
        return _quiet_passed("passed", "outside the quiet hours", inputs)
    if claimed.priority is Priority.HIGH and claimed.category == CRITICAL:
        return _quiet_passed("bypassed", "high priority and category critical", inputs)
    step = Step(
        gate="quiet_hours",
        verdict="deferred",
        reason=f"quiet hours until {ends_at.astimezone(zone):%H:%M}",
        inputs=inputs,
        next_eligible_at=ends_at,
    )
    return Stopped(step, Status.DEFERRED, (ends_at - claimed.claimed_at).total_seconds())


def _quiet_passed(verdict: str, reason: str, inputs: Mapping[str, Any]) -> Passed:
    return Passed(Step(gate="quiet_hours", verdict=verdict, reason=reason, inputs=inputs))


def _stop(
    gate: str, status: Status, reason: str, inputs: Mapping[str, Any] | None = None
) -> Stopped:
    return Stopped(
        Step(gate=gate, verdict=status.value, reason=reason, inputs=inputs or {}), status
    )
