"""A webhook receiver with a ledger of its own: what arrived, how often, in which order.

It fails on demand.
"""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.serving import listening


@dataclass
class Receiver:
    """`calls` in order of arrival, each with its time `at`.

    `answer` decides what each is told, `slow` how late.
    """

    url: str = ""
    calls: list[dict[str, Any]] = field(default_factory=list)
    accepted: Counter[str] = field(default_factory=Counter)
    in_flight: int = 0
    max_in_flight: int = 0
    delay_s: float = 0.0
    slow: Callable[[dict[str, Any]], float] = lambda _call: 0.0
    answer: Callable[[dict[str, Any]], tuple[int, dict[str, str]]] = lambda _call: (202, {})

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.json()
        headers = request.headers
        call = {
            **body,
            "key": headers.get("Idempotency-Key"),
            "headers": dict(headers),
            "at": time.time(),
        }
        self.calls.append(call)
        self.in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self.in_flight)
        try:
            status, headers = self.answer(call)
            if 200 <= status < 300:
                self.accepted[call["key"]] += 1
            await self.pause(call, request)
            answer = {
                "messageId": f"m-{len(self.calls)}",
                "status": "accepted",
                "timestamp": "2026-01-01T00:00:00Z",
            }
            return web.json_response(answer, status=status, headers=headers)
        finally:
            self.in_flight -= 1

    async def pause(self, call: dict[str, Any], _request: web.Request) -> None:
        """What happens between taking the message and saying so."""
        if wait := self.delay_s or self.slow(call):
            await asyncio.sleep(wait)

    @property
    def duplicates(self) -> int:
        return sum(self.accepted.values()) - len(self.accepted)

    def by_recipient(self) -> dict[str, list[str]]:
        """Contents in order of arrival, for each recipient."""
        found: dict[str, list[str]] = defaultdict(list)
        for call in self.calls:
            found[call["to"]].append(call["content"])
        return found


@asynccontextmanager
async def receiver() -> AsyncIterator[Receiver]:
    """A receiver on a free port of the loopback interface."""
    ledger = Receiver()
    async with serving(ledger):
        yield ledger


@asynccontextmanager
async def serving(ledger: Receiver) -> AsyncIterator[None]:
    """The same for one that is there already."""
    app = web.Application()
    app.router.add_post("/", ledger.handle)
    async with listening(app) as address:
        ledger.url = f"{address}/"
        yield
