"""The gates that count: frequency caps of the recipient, and the rate per recipient and channel."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from notistream.delivery.gates import PASSED, Passed, Stopped
from notistream.delivery.ports import Caps, Origin, RecipientUsage
from notistream.domain.notification import Claimed, Status
from notistream.domain.outcome import Step
from notistream.domain.preference import span
from notistream.domain.rate_limit import Rate, Usage, spacing_s, wait_s

MOVED_S = 0.5
UNKNOWN_S = 5.0
PRUNE_AT = 10_000


class RecipientLimit:
    """At most `rate` messages to a recipient over a channel.

    Those beyond it are deferred, one behind the other.
    """

    def __init__(
        self, usage: RecipientUsage, rate: Rate, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._usage = usage
        self._rate = rate
        self._clock = clock
        self._promised: dict[tuple[str, bytes], float] = {}
        self._prune_at = PRUNE_AT

    async def check(self, claimed: Claimed, origin: Origin) -> Passed | Stopped:
        """Look and count in one step, then wait until the count is safe.

        The provider is called next, so what is counted must survive this process.
        """
        if not self._rate.count:
            return PASSED
        usage = self._usage.take(claimed.channel, origin, self._rate, self._database_now(claimed))
        if usage is None:
            return _moved("its partition has moved to another worker", MOVED_S)
        wait = wait_s(self._rate, usage)
        if wait:
            return self._deferred(claimed, origin, usage, wait)
        if not await self._usage.kept(origin):
            return _moved("the count could not be kept", UNKNOWN_S)
        return Passed(
            Step(
                gate="recipient_limit",
                verdict="passed",
                reason="within the limit",
                inputs=_inputs(self._rate, usage),
            )
        )

    def _database_now(self, claimed: Claimed) -> float:
        """The database's clock now, in seconds since 1970: all workers share it."""
        since = (
            0.0
            if claimed.claimed_clock is None
            else max(self._clock() - claimed.claimed_clock, 0.0)
        )
        return claimed.claimed_at.timestamp() + since

    def _deferred(self, claimed: Claimed, origin: Origin, usage: Usage, wait: float) -> Stopped:
        """Spread the deferred ones, so that no more are due at a time than the rate admits then."""
        now, key = usage.now_s, (claimed.channel, origin.key)
        due = max(now + wait, self._promised.get(key, 0.0) + spacing_s(self._rate))
        self._promised[key] = due
        if len(self._promised) > self._prune_at:
            self._promised = {k: at for k, at in self._promised.items() if at > now}
            self._prune_at = max(2 * len(self._promised), PRUNE_AT)
        step = Step(
            gate="recipient_limit",
            verdict="deferred",
            reason=f"the recipient's limit of {self._rate} is reached",
            inputs=_inputs(self._rate, usage),
            next_eligible_at=datetime.fromtimestamp(due, UTC),
        )
        return Stopped(step, Status.DEFERRED, due - now)


def _inputs(rate: Rate, usage: Usage) -> dict[str, object]:
    return {
        "limit": str(rate),
        "window": int(usage.now_s // rate.window_s * rate.window_s),
        "current": usage.current,
        "previous": usage.previous,
        "estimate": round(usage.estimate(rate.window_s), 2),
    }


def _moved(reason: str, delay_s: float) -> Stopped:
    return Stopped(
        Step(gate="recipient_limit", verdict="deferred", reason=reason), Status.DEFERRED, delay_s
    )


async def within_cap(claimed: Claimed, caps: Caps) -> Passed | Stopped:
    """The recipient's own cap for the channel.

    What is over it waits until the oldest use leaves the window.
    """
    cap = claimed.preferences.of(claimed.channel).frequency_cap
    if cap is None or claimed.recipient_id is None:
        return PASSED
    use = await caps.take(claimed, cap)
    inputs = {"count": cap.count, "window_s": cap.window_s, "used": use.used}
    if use.allowed:
        return Passed(
            Step(gate="frequency_cap", verdict="passed", reason="within the cap", inputs=inputs)
        )
    free_at = use.free_at or claimed.claimed_at + timedelta(seconds=cap.window_s)
    reason = f"the recipient takes {cap.count} per {span(cap.window_s)} over {claimed.channel}"
    step = Step(
        gate="frequency_cap",
        verdict="deferred",
        reason=reason,
        inputs=inputs,
        next_eligible_at=free_at,
    )
    return Stopped(step, Status.DEFERRED, max((free_at - claimed.claimed_at).total_seconds(), 1.0))
