"""Outbound webhooks: which events are told, and what follows from the answer to a call."""

from dataclasses import dataclass
from datetime import datetime, timedelta

EVENT_TYPES = (
    "notification.delivered",
    "notification.failed",
    "notification.suppressed",
    "notification.cancelled",
    "notification.expired",
    "device_token.deactivated",
)
TEST_EVENT = "webhook.test"
SCHEDULE_S: tuple[float, ...] = (0, 5, 300, 1800, 7200, 18_000, 36_000, 36_000)
"""Seconds before each call: the first counts from the event, the others from the failed call."""
FAILING_FOR = timedelta(days=5)
GONE = 410


@dataclass(frozen=True, slots=True)
class Reply:
    """The receiver answered; `retry_after_s` where it said when to come back."""

    status: int
    retry_after_s: float | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class NoReply:
    """There was no answer: no connection, none in time, or the address is refused."""

    reason: str


CallResult = Reply | NoReply


@dataclass(frozen=True, slots=True)
class Received:
    """The receiver has it."""


@dataclass(frozen=True, slots=True)
class RetryLater:
    """Call again in `delay_s` seconds."""

    delay_s: float
    reason: str


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Never again on its own; it may be redelivered."""

    reason: str


@dataclass(frozen=True, slots=True)
class Disable:
    """Switch the endpoint off; unless None, only if it has failed since `failing_since`."""

    reason: str
    failing_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of the delivery, and perhaps of its endpoint."""

    delivery: Received | RetryLater | GiveUp
    disable: Disable | None = None


def decide(
    result: CallResult, *, attempts: int, failing_since: datetime | None, now: datetime
) -> Verdict:
    """Decide after the `attempts`-th call.

    `failing_since` is when the endpoint failed first after its last success.
    """
    match result:
        case Reply(status) if 200 <= status < 300:
            return Verdict(Received())
        case Reply(status) if status == GONE:
            return Verdict(
                GiveUp("HTTP 410: the endpoint is gone"), Disable("it answered 410 Gone")
            )
        case Reply(status, retry_after_s):
            return _judged(
                _again(attempts, _words(status), retry_after_s or 0.0), failing_since, now
            )
        case NoReply(reason):
            return _judged(_again(attempts, reason, 0.0), failing_since, now)


def _judged(
    delivery: RetryLater | GiveUp, failing_since: datetime | None, now: datetime
) -> Verdict:
    if failing_since is not None and now - failing_since >= FAILING_FOR:
        return Verdict(
            delivery, Disable(f"every call has failed for {FAILING_FOR.days} days", failing_since)
        )
    return Verdict(delivery)


def _words(status: int) -> str:
    return f"HTTP {status}: redirects are not followed" if 300 <= status < 400 else f"HTTP {status}"


def _again(attempts: int, reason: str, least_s: float) -> RetryLater | GiveUp:
    if attempts >= len(SCHEDULE_S):
        return GiveUp(f"{reason} (after {attempts} attempts)")
    return RetryLater(max(SCHEDULE_S[attempts], least_s), reason)
