"""Whether and when a delivery that did not succeed is tried again."""

from dataclasses import dataclass

from notistream.domain.notification import MAX_RETRIES, OnUnknown, Priority
from notistream.domain.outcome import Ambiguous, Permanent, Temporary

BASE_S = 1.0
CAP_S = 3600.0


@dataclass(frozen=True, slots=True)
class Retry:
    """Try again in `delay_s` seconds."""

    delay_s: float
    reason: str


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Never again on its own; an operator may replay it."""

    reason: str


@dataclass(frozen=True, slots=True)
class Hold:
    """Wait for an operator to say whether to send again."""

    reason: str


RetryDecision = Retry | GiveUp | Hold


def decide(
    result: Temporary | Permanent | Ambiguous,
    *,
    priority: Priority,
    attempts: int,
    on_unknown: OnUnknown,
    jitter: float,
) -> RetryDecision:
    """Decide after `attempts` provider calls; `jitter` is uniform in [0, 1).

    Only transient failures are retried: up to 5, 3 or 2 times by priority, after a full-jitter
    exponential backoff, and never before the provider's own Retry-After.
    """
    match result:
        case Permanent(reason):
            return GiveUp(reason)
        case Ambiguous(reason) if on_unknown is OnUnknown.HOLD:
            return Hold(f"outcome_unknown: {reason}")
        case Ambiguous(reason):
            return _again(attempts, priority, jitter, None, f"outcome_unknown: {reason}")
        case Temporary(reason, retry_after_s):
            return _again(attempts, priority, jitter, retry_after_s, reason)


def _again(
    attempts: int, priority: Priority, jitter: float, retry_after_s: float | None, reason: str
) -> RetryDecision:
    if attempts > MAX_RETRIES[priority]:
        return GiveUp(f"{reason} (after {attempts} attempts)")
    return Retry(max(backoff_s(attempts, jitter), min(retry_after_s or 0.0, CAP_S)), reason)


def backoff_s(attempts: int, jitter: float) -> float:
    """Seconds to wait after the `attempts`-th call (1, 2, …): uniform in 0 … min(1 h, 1 s × 2ⁿ)."""
    return jitter * min(CAP_S, BASE_S * 2.0 ** min(attempts, 12))
