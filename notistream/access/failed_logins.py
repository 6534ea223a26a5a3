"""Guessed keys: an address that is refused again and again is told to wait.

What it knows still works.
"""

import ipaddress
import time
from collections.abc import Callable
from math import ceil

from notistream.errors import TooManyRequests

ALLOWED = 100
SPAN_S = 60.0
ADDRESSES = 10_000


class FailedLogins:
    """Counts refusals per peer address and minute, in this process.

    When it knows too many addresses it forgets all.
    """

    def __init__(
        self, allowed: int = ALLOWED, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._allowed = allowed
        self._clock = clock
        self._refused: dict[str, tuple[int, float]] = {}

    def count(self, peer: str | None) -> None:
        """One more request of this address was refused.

        Raises:
            TooManyRequests: more than are allowed in a minute.
        """
        now, address = self._clock(), _network(peer or "")
        times, ends_at = self._refused.get(address, (0, now + SPAN_S))
        if ends_at <= now:
            times, ends_at = 0, now + SPAN_S
        if address not in self._refused and len(self._refused) >= ADDRESSES:
            self._refused.clear()
        self._refused[address] = (times + 1, ends_at)
        if times >= self._allowed:
            raise TooManyRequests(
                "too many requests without a valid key", retry_after_s=ceil(ends_at - now)
            )


def _network(peer: str) -> str:
    """Of IPv6, the /64 that one host usually has to itself."""
    try:
        address = ipaddress.ip_address(peer.partition("%")[0])
    except ValueError:
        return peer
    return (
        str(address)
        if address.version == 4
        else str(ipaddress.ip_network((address, 64), strict=False))
    )
