"""The HTTP request limit per API key, shared by all API processes."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import UUID

from notistream.db.request_windows import Reserved
from notistream.domain.rate_limit import Rate
from notistream.errors import DatabaseUnavailable
from notistream.observability import metrics

log = logging.getLogger(__name__)

PARTS = 50
"""A process reserves about 1/PARTS of a limit at a time; an unused share ends with the window."""
PATIENCE_S = 1.5
UNMETERED_S = 1.0
MANY_KEYS = 10_000


@dataclass(frozen=True, slots=True)
class RateLimitState:
    """A key's state in one window; `remaining` is an estimate of this process."""

    admitted: bool
    remaining: int
    resets_in_s: float
    window: int


class _Budget:
    """This process's share of one key's window, and what is still unreserved."""

    __slots__ = ("ends_at", "left", "refill", "unreserved", "window")

    def __init__(self) -> None:
        self.window = -1
        self.ends_at = 0.0
        self.left = 0
        self.unreserved = 0
        self.refill: asyncio.Task[None] | None = None


class RequestLimit:
    """Admits at most `rate` requests per key in a window of the database's clock.

    Each process reserves shares of a window with `reserve`, so most requests need no query. While
    PostgreSQL does not answer, requests pass uncounted; their own queries fail anyway.
    """

    def __init__(
        self,
        rate: Rate,
        reserve: Callable[[UUID, Rate, int], Awaitable[Reserved]],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.rate = rate
        self._reserve = reserve
        self._clock = clock
        self._share = max(rate.count // PARTS, 1)
        self._low = self._share // 4
        self._budgets: dict[UUID, _Budget] = {}
        self._unmetered_until = 0.0

    async def take(self, key_id: UUID) -> RateLimitState | None:
        """Count a request of this key; None if there is no limit, or it cannot be enforced now."""
        if not self.rate.count:
            return None
        budget = self._budgets.get(key_id) or self._new_budget(key_id)
        while True:
            now = self._clock()
            lasts = now < budget.ends_at
            if lasts and budget.left:
                budget.left -= 1
                if budget.left < self._low and budget.unreserved and budget.refill is None:
                    self._refill(key_id, budget)
                return _standing(budget, now, admitted=True)
            if lasts and not budget.unreserved and budget.refill is None:
                metrics.REQUESTS_LIMITED.inc()
                return _standing(budget, now, admitted=False)
            if now < self._unmetered_until or not await self._refilled(key_id, budget):
                metrics.REQUESTS_UNMETERED.inc()
                return None

    def _new_budget(self, key_id: UUID) -> _Budget:
        if len(self._budgets) >= MANY_KEYS:
            now = self._clock()
            self._budgets = {k: b for k, b in self._budgets.items() if b.refill or now < b.ends_at}
        return self._budgets.setdefault(key_id, _Budget())

    async def _refilled(self, key_id: UUID, budget: _Budget) -> bool:
        """Wait for a share; all waiting requests share one statement.

        False if it did not come in time.
        """
        refill = budget.refill or self._refill(key_id, budget)
        await asyncio.wait({refill}, timeout=PATIENCE_S)
        if refill.done():
            refill.result()
        else:
            self._unmetered_until = self._clock() + UNMETERED_S
        return self._clock() >= self._unmetered_until

    def _refill(self, key_id: UUID, budget: _Budget) -> asyncio.Task[None]:
        budget.refill = asyncio.create_task(self._fill(key_id, budget))
        return budget.refill

    async def _fill(self, key_id: UUID, budget: _Budget) -> None:
        asked_at = (
            self._clock()
        )  # taken before the query, so that the window never seems longer than it is
        try:
            reserved = await self._reserve(key_id, self.rate, self._share)
        except DatabaseUnavailable:
            self._unmetered_until = self._clock() + UNMETERED_S
            log.warning("API_RATE_LIMIT is not enforced: PostgreSQL does not answer")
            return
        finally:
            budget.refill = None
        if reserved.number != budget.window:
            budget.window, budget.left = reserved.number, 0
        budget.left += reserved.granted
        budget.unreserved = reserved.unreserved
        budget.ends_at = asked_at + reserved.ends_in


def _standing(budget: _Budget, now: float, *, admitted: bool) -> RateLimitState:
    return RateLimitState(
        admitted, budget.left + budget.unreserved, budget.ends_at - now, budget.window
    )
