"""The circuit breaker of one channel and provider, which admits one probe at a time.

aiobreaker holds the state. Alone, it would let every caller through once half-open, and raise its
own error instead of the provider's.
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from enum import StrEnum

from aiobreaker import CircuitBreaker, CircuitBreakerError, CircuitBreakerState

from notistream.domain.outcome import Ambiguous, ProviderResult, Temporary


class BreakerState(StrEnum):
    """What a breaker lets through: all, one probe, nothing."""

    CLOSED = "closed"
    HALF_OPEN = "half_open"
    OPEN = "open"


STATES = {
    CircuitBreakerState.CLOSED: BreakerState.CLOSED,
    CircuitBreakerState.HALF_OPEN: BreakerState.HALF_OPEN,
    CircuitBreakerState.OPEN: BreakerState.OPEN,
}


class _FailedError(Exception):
    """The call failed."""


class Breaker:
    """Opens after `failures` outages in a row; `open_s` seconds later it admits a probe."""

    def __init__(self, *, clock: Callable[[], float], failures: int, open_s: float) -> None:
        self._breaker = CircuitBreaker(
            fail_max=failures, timeout_duration=timedelta(seconds=open_s)
        )
        self._clock = clock
        self._open_s = open_s
        self._probe_at = 0.0
        self._probing = False
        self.reason = ""

    @property
    def state(self) -> BreakerState:
        return STATES[self._breaker.current_state]

    @property
    def blocked_s(self) -> float:
        """Seconds until a call may be let through; 0 where one may be now."""
        if self.state is BreakerState.CLOSED:
            return 0.0
        return 0.1 if self._probing else max(self._probe_at - self._clock(), 0.0)

    def begin(self) -> bool:
        """Let one call through, after `blocked_s` was 0; True if it is the probe."""
        if self.state is BreakerState.CLOSED:
            return False
        if self.state is BreakerState.OPEN:
            self._breaker.half_open()
        self._probing = True
        return True

    def give_up_probe(self) -> None:
        """Allow another probe, because this one was not sent."""
        self._probing = False

    def report(self, result: ProviderResult, *, probe: bool) -> bool:
        """Count a result; True if the state has changed.

        Late results of an open breaker do not count.
        """
        before = self.state
        if probe:
            self._probing = False
        elif before is not BreakerState.CLOSED:
            return False
        if isinstance(result, Temporary) and result.throttled and not probe:
            return False  # the provider works, and only wants fewer calls
        self._feed(failed=is_outage(result))
        if self.state is BreakerState.OPEN:
            self._probe_at = self._clock() + self._open_s
            self.reason = result.reason if isinstance(result, Temporary | Ambiguous) else ""
        return self.state is not before

    def _feed(self, *, failed: bool) -> None:
        with suppress(CircuitBreakerError, _FailedError):
            self._breaker.call(_fail if failed else _succeed)


def _fail() -> None:
    raise _FailedError


def _succeed() -> None:
    return None


def is_outage(result: ProviderResult) -> bool:
    """Whether the provider is down. A refusal is an answer, and so is `too many requests`."""
    match result:
        case Temporary(throttled=throttled):
            return not throttled
        case Ambiguous():
            return True
        case _:
            return False
