"""A receiver of webhooks for tests: what arrived, byte for byte.

Each path answers as the test says.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web
from standardwebhooks.webhooks import Webhook

from tests.serving import listening

LOOPBACK = "127.0.0.0/8,::1/128"


@dataclass(frozen=True)
class Call:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = orjson.loads(self.body)
        return found

    def verify(self, secret: str | bytes) -> None:
        """Raises WebhookVerificationError."""
        Webhook(secret).verify(self.body, self.headers)


@dataclass
class Hooks:
    """`answer` decides what each call is told; it may be slow until `gate` is set."""

    url: str = ""
    calls: list[Call] = field(default_factory=list)
    answer: Callable[[Call], tuple[int, dict[str, str], str]] = lambda _call: (204, {}, "")
    slow: Callable[[Call], bool] = lambda _call: False
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        call = Call(request.path, headers, await request.read())
        self.calls.append(call)
        if self.slow(call):
            await self.gate.wait()
        status, headers, text = self.answer(call)
        return web.Response(status=status, headers=headers, text=text)

    def at(self, path: str) -> list[Call]:
        return [call for call in self.calls if call.path == path]


@asynccontextmanager
async def hooks() -> AsyncIterator[Hooks]:
    """A receiver on a free port of the loopback interface."""
    found = Hooks()
    app = web.Application()
    app.router.add_post("/{path:.*}", found.handle)
    async with listening(app, shutdown_s=0.1) as found.url:
        try:
            yield found
        finally:
            found.gate.set()
