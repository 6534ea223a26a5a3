"""The receiver of the fault suite: it can also hold its answers back, and hang up instead of
answering.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.receiver import Receiver

Chosen = Callable[[dict[str, Any]], bool]


def every(_call: dict[str, Any]) -> bool:
    """All calls."""
    return True


@dataclass
class Ledger(Receiver):
    """What it notes, it has taken: a held or cut call counts as accepted, as a real provider would
    have sent it.
    """

    held: int = 0
    _hold: Chosen | None = None
    _cut: Chosen | None = None
    _released: asyncio.Event = field(default_factory=asyncio.Event)

    def hold(self, chosen: Chosen = every) -> None:
        """Take these calls, and do not answer them until `release`."""
        self._hold, self._released = chosen, asyncio.Event()

    def cut(self, chosen: Chosen = every) -> None:
        """Take these calls, and hang up instead of answering, until `release`."""
        self._cut = chosen

    def release(self) -> None:
        """Answer whatever is held, and all that comes."""
        self._hold = self._cut = None
        self._released.set()

    async def pause(self, call: dict[str, Any], request: web.Request) -> None:
        if self._hold is not None and self._hold(call):
            self.held += 1
            try:
                await self._released.wait()
            finally:
                self.held -= 1
        elif self._cut is not None and self._cut(call):
            assert request.transport is not None
            request.transport.abort()
        else:
            await super().pause(call, request)

    def resumed_after(self, moment: float) -> float | None:
        """Seconds from a moment until the first call after it."""
        return next((call["at"] - moment for call in self.calls if call["at"] > moment), None)
