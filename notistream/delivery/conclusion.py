"""How an attempt ends: what a provider's answer, or a stage that stopped it, means for the row."""

from dataclasses import replace

from notistream.delivery.gates import Stopped
from notistream.delivery.ports import Permit
from notistream.domain import retry
from notistream.domain.notification import Claimed, Status
from notistream.domain.outcome import (
    Accepted,
    Ambiguous,
    AttemptOutcome,
    Finish,
    Permanent,
    ProviderResult,
    Temporary,
)


def judge(claimed: Claimed, result: ProviderResult, *, jitter: float) -> Finish:
    """What a provider's answer means for the notification."""
    if isinstance(result, Accepted):
        return Finish(status=Status.DELIVERED, outcome=AttemptOutcome.DELIVERED)
    decision = retry.decide(
        result,
        priority=claimed.priority,
        attempts=claimed.attempts,
        on_unknown=claimed.on_unknown,
        jitter=jitter,
    )
    return conclude(decision, outcome_of(result), error=result.reason)


def outcome_of(result: Temporary | Permanent | Ambiguous) -> AttemptOutcome:
    match result:
        case Temporary():
            return AttemptOutcome.TEMPORARY
        case Permanent():
            return AttemptOutcome.PERMANENT
        case Ambiguous():
            return AttemptOutcome.UNKNOWN


def conclude(decision: retry.RetryDecision, outcome: AttemptOutcome, *, error: str) -> Finish:
    """The finish that a retry decision asks for."""
    match decision:
        case retry.Retry(delay_s, reason):
            return Finish(
                status=Status.RETRYING, reason=reason, delay_s=delay_s, outcome=outcome, error=error
            )
        case retry.GiveUp(reason):
            return Finish(status=Status.FAILED, reason=reason, outcome=outcome, error=error)
        case retry.Hold(reason):
            return Finish(status=Status.UNKNOWN, reason=reason, outcome=outcome, error=error)


def not_called(claimed: Claimed, stopped: Stopped) -> Finish:
    """A stage stopped it before the provider call: no attempt is used."""
    return Finish(
        status=stopped.status,
        reason=stopped.step.reason,
        delay_s=stopped.delay_s,
        outcome=AttemptOutcome.NOT_CALLED,
        error=stopped.step.reason if stopped.status is Status.FAILED else None,
        next_provider=claimed.next_provider,
    )


def rerouted(end: Finish, result: ProviderResult, provider: str, permit: Permit) -> Finish:
    """A temporary failure goes to the next provider, due now.

    An unknown outcome stays with the provider that knows its idempotency key.
    """
    if not isinstance(result, Temporary):
        return replace(end, next_provider=provider)
    following = permit.failover()
    if following is None:
        return end
    return replace(
        end, delay_s=0.0, next_provider=following, reason=f"{end.reason}; {following} is next"
    )
