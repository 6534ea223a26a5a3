"""Failed logins: an address that sends too many wrong keys must wait; valid keys still work."""

import ipaddress
import time
from collections.abc import Callable
from math import ceil

from notistream.errors import TooManyRequests

ALLOWED = 100
SPAN_S = 60.0
ADDRESSES = 10_000


class FailedLogins:
    """Counts refused requests per peer address and minute, in this process.

    When the table of addresses is full, it is cleared.
    """

    def __init__(
        self, allowed: int = ALLOWED, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._allowed = allowed
        self._clock = clock
        self._refused: dict[str, tuple[int, float]] = {}

    def count(self, peer: str | None) -> None:
        """Count a refused request of this address.

        Raises:
            TooManyRequests: the address exceeded its limit for this minute.
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
    """Return the address, or for IPv6 the /64 network that one host usually has."""
    try:
        address = ipaddress.ip_address(peer.partition("%")[0])
    except ValueError:
        return peer
    return (
        str(address)
        if address.version == 4
        else str(ipaddress.ip_network((address, 64), strict=False))
    )
