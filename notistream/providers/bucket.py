"""The token bucket of one channel and provider: leases of tokens that all workers share.

A lease is some tokens of one 100 ms slot of the database's clock, and expires with it. So all
workers together keep to the rate, and nothing is lost when a worker is idle or dies. aiolimiter
spaces the calls within a slot.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter

from aiolimiter import AsyncLimiter

from notistream.delivery.ports import TokenGrant
from notistream.errors import DatabaseUnavailable
from notistream.observability import metrics

log = logging.getLogger(__name__)

MORE_SHARE = 0.25  # of a slot's tokens may be leased before they are wanted
AHEAD = 2  # slots after the first one from which tokens may be taken
SLOT_S = 0.1
MARGIN_S = 0.01  # unused at a slot's end, because the call takes a moment to leave
AGAIN_S = 0.05
LONGEST_WAY_S = 0.3
SPACING_S = 0.025
POLL_S = 0.005


@dataclass(slots=True, eq=False)
class Token:
    """The right to one call, from `begins` to `ends` on this process's monotonic clock."""

    begins: float
    ends: float


LeaseTokens = Callable[[str, float, int, int, float], Awaitable[Sequence[TokenGrant]]]
"""(bucket, rate, wanted, slots ahead, seconds until the first token can be used) → tokens."""


class Bucket:
    """Tokens of one bucket; `on_arrival` is called when there may be some to take."""

    def __init__(
        self,
        name: str,
        rate: float,
        *,
        lease: LeaseTokens,
        clock: Callable[[], float],
        on_arrival: Callable[[], None],
    ) -> None:
        self.name = name
        channel, _, provider = name.partition("/")
        metrics.TOKENS_WAITING.labels(channel, provider).set_function(lambda: self._spending)
        self._granted_total = metrics.TOKENS_GRANTED.labels(channel, provider)
        self._short_total = metrics.TOKENS_SHORT.labels(channel, provider)
        self.rate = rate
        self._lease = lease
        self._clock = clock
        self._on_arrival = on_arrival
        self._tokens: deque[Token] = deque()
        self._fetch: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._announces_at = 0.0
        self._asks_again_at = 0.0
        self._way_s = 0.0
        self._spending = 0
        self._more = 1
        self._limiter = AsyncLimiter(max(1.0, rate * SPACING_S * 2), SPACING_S)

    def take(self, wanted: int) -> Token | None:
        """A token for now; without one, `wanted` are fetched, and `on_arrival` follows."""
        now = self._clock()
        self._drop_lapsed(now)
        if self._tokens and self._tokens[0].begins <= now:
            return self._tokens.popleft()
        if self._fetch is None and len(self._tokens) < wanted and now >= self._asks_again_at:
            self._fetch = asyncio.ensure_future(self._fetch_some(wanted - len(self._tokens)))
        elif self._fetch is None:
            self._announce_in(
                (self._tokens[0].begins if self._tokens else self._asks_again_at) - now
            )
        return None

    def _drop_lapsed(self, now: float) -> None:
        """Drop tokens that nobody took in time, and make the next lease smaller."""
        if self._tokens and self._tokens[0].ends - MARGIN_S <= now:
            self._more = max(self._more // 2, 1)
            while self._tokens and self._tokens[0].ends - MARGIN_S <= now:
                self._tokens.popleft()

    def give_back(self, token: Token) -> None:
        """Return an unused token; it lapses with its slot all the same."""
        self._tokens.appendleft(token)

    async def spend(self, token: Token | None, *, patience_s: float) -> Token | None:
        """Space the call inside the slot; wait for a token if this one is missing or has expired.

        None after `patience_s` seconds.
        """
        until = self._clock() + patience_s
        self._spending += 1
        try:
            if self._limiter.has_capacity():
                await self._limiter.acquire()
            else:
                async with asyncio.timeout(patience_s):
                    await self._limiter.acquire()
            while token is None or token.ends <= self._clock():
                if self._clock() >= until:
                    return None
                token = self.take(self._spending)
                if token is None:
                    await asyncio.sleep(POLL_S)
        except TimeoutError:
            return None
        finally:
            self._spending -= 1
        return token

    def close(self) -> None:
        """Stop fetching."""
        if self._fetch is not None:
            self._fetch.cancel()
        if self._timer is not None:
            self._timer.cancel()

    async def _fetch_some(self, wanted: int) -> None:
        """Lease what is wanted now; twice as many as before while all leased tokens are used.

        Larger leases mean fewer queries.
        """
        asked = max(wanted, self._more)
        began, grants = self._clock(), await self._granted(asked)
        ended = self._clock()
        if grants:
            self._way_s = min(max(ended - began, (self._way_s + ended - began) / 2), LONGEST_WAY_S)
        asked_at = (began + ended) / 2  # the database answered at some moment between them
        for grant in grants:
            token = (asked_at + grant.begins_in_s, asked_at + grant.ends_in_s)
            self._tokens.extend(Token(*token) for _ in range(grant.tokens))
        self._tokens = deque(sorted(self._tokens, key=attrgetter("begins")))
        self._fetch = None
        got = sum(grant.tokens for grant in grants)
        self._granted_total.inc(got)
        self._more = (
            min(self._more * 2, max(int(self.rate * SLOT_S * MORE_SHARE), 1)) if got >= asked else 1
        )
        if got < wanted:
            self._short_total.inc()
            self._asks_again_at = ended + AGAIN_S
        self._announce_in((self._tokens[0].begins if self._tokens else self._asks_again_at) - ended)

    async def _granted(self, wanted: int) -> Sequence[TokenGrant]:
        try:
            return await self._lease(self.name, self.rate, wanted, AHEAD, self._way_s + MARGIN_S)
        except DatabaseUnavailable:
            return ()
        except Exception:
            log.exception("tokens could not be leased", extra={"bucket": self.name})
            return ()

    def _announce_in(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        at = loop.time() + max(seconds, 0.0)
        if self._timer is not None:
            if self._announces_at <= at:
                return
            self._timer.cancel()
        self._announces_at = at  # the handles of uvloop do not always know their time
        self._timer = loop.call_at(at, self._announce)

    def _announce(self) -> None:
        self._timer = None
        self._on_arrival()
