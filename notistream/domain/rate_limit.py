"""Limits as values: so many per span of time, and what a sliding window says of the next one."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

RATE = re.compile(r"(\d{1,9})/(?:(second|minute|hour|day)|(\d{1,6})([smh]))\Z", re.ASCII)
SPANS_S: Mapping[str, int] = {
    "second": 1,
    "minute": 60,
    "hour": 3600,
    "day": 86_400,
    "s": 1,
    "m": 60,
    "h": 3600,
}
TICK_S = 0.001  # the estimate has to be below the limit, not at it


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `count` per `window_s` seconds; a count of 0 means no limit."""

    count: int
    window_s: int

    def __str__(self) -> str:
        return f"{self.count}/{self.window_s}s" if self.count else "0"


def parse_rate(text: str) -> Rate:
    """`60/minute`, `50/2s`, `5/10m`, …; `0` means no limit.

    Raises:
        ValueError: something else, in words.
    """
    if text.strip() == "0":
        return Rate(0, 1)
    found = RATE.match(text.strip())
    if found is None or (found[3] and int(found[3]) == 0):
        raise ValueError("must be a count and a span, such as 60/minute or 50/2s; 0 means no limit")
    return Rate(int(found[1]), int(found[3] or 1) * SPANS_S[found[2] or found[4]])


@dataclass(frozen=True, slots=True)
class Usage:
    """Uses of a limit: in the wall-clock window that holds `now_s`, and in the one before it."""

    now_s: float
    current: int
    previous: int

    def estimate(self, window_s: int) -> float:
        """Uses in the last `window_s` seconds, if those of the window before were evenly spread."""
        return self.current + self.previous * (1 - self.now_s % window_s / window_s)


def wait_s(rate: Rate, usage: Usage) -> float:
    """Seconds until the next use is within the limit; 0 where it is now.

    In a wall-clock window there are never more uses than the limit allows, and over any span of
    that length never more than twice as many.
    """
    if not rate.count or usage.estimate(rate.window_s) < rate.count:
        return 0.0
    into = usage.now_s % rate.window_s
    if usage.current < rate.count:
        free_at = rate.window_s * (1 - (rate.count - usage.current) / usage.previous)
        return max(free_at - into, 0.0) + TICK_S
    free_at = rate.window_s * (1 - rate.count / usage.current)
    return rate.window_s - into + max(free_at, 0.0) + TICK_S


def spacing_s(rate: Rate) -> float:
    """Seconds between two uses of a limit that is used evenly."""
    return rate.window_s / rate.count if rate.count else 0.0
