"""A vendor's HTTP API that misbehaves on demand, in a given order or by a seed; for tests."""

import asyncio
import random
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from enum import StrEnum
from typing import TypeVar

from aiohttp import web

R = TypeVar("R")


class Play(StrEnum):
    """What happens to one request."""

    SERVE = "serve"
    """The vendor answers."""
    STALL = "stall"
    """Taken, and never answered."""
    SLOW_HEADERS = "slow_headers"
    """Taken, and the answer's head drips in more slowly than anybody waits."""
    RESET = "reset"
    """Taken, and the connection is reset before the answer."""
    BREAK_ANSWER = "break_answer"
    """Taken; the connection is reset in the middle of the accepting answer's body."""
    MALFORM = "malform"
    """Taken; the accepting answer's body is rubbish."""
    REFUSE = "refuse"
    """Not taken: the vendor's own error, with `status`, `code` and `headers`."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One play.

    `status`, `code` and `headers` are of a refusal, `code` is the vendor's own word or number.
    """

    play: Play
    status: int = 503
    code: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


SERVED = Fault(Play.SERVE)
STALLED, SLOW_HEADERS, RESET = Fault(Play.STALL), Fault(Play.SLOW_HEADERS), Fault(Play.RESET)
BROKEN_ANSWER, MALFORMED = Fault(Play.BREAK_ANSWER), Fault(Play.MALFORM)


def refused(status: int, code: str = "", *, retry_after: str | None = None) -> Fault:
    """The vendor's error."""
    return Fault(
        Play.REFUSE, status, code, {} if retry_after is None else {"Retry-After": retry_after}
    )


def retry_afters(now: datetime) -> Mapping[str, tuple[str, float]]:
    """Values of Retry-After as they occur, each with its least seconds; the most is an hour."""
    date = format_datetime(now.astimezone(UTC) + timedelta(seconds=90), usegmt=True)
    return {
        "seconds": ("7", 7.0),
        "date": (date, 60.0),
        "negative": ("-30", 0.0),
        "past": ("Sun, 22 Nov 2015 12:00:00 GMT", 0.0),
        "huge": ("999999999", 3600.0),
    }


def plan(seed: int, *, of: Sequence[Fault], share: float = 0.3, burst: int = 3) -> Iterator[Fault]:
    """An endless plan, fixed by the seed: `share` of the requests begin a burst of one fault."""
    dice = random.Random(seed)  # noqa: S311
    while True:
        if dice.random() < share:
            fault = dice.choice(of)
            for _ in range(dice.randint(1, burst)):
                yield fault
        else:
            yield SERVED


def scattered(receipts: Sequence[R], seed: int) -> list[R]:
    """Receipts as vendors deliver them, fixed by the seed: some twice, in any order."""
    dice = random.Random(seed)  # noqa: S311
    sent = [*receipts, *(receipt for receipt in receipts if dice.random() < 0.5)]
    dice.shuffle(sent)
    return sent


@dataclass(frozen=True, slots=True)
class Taken:
    """What a faithful vendor makes of a request: its key, and the answer."""

    key: str
    answer: web.Response
    accepted: bool = True


Serve = Callable[[web.Request, bytes], Awaitable[Taken]]
Refuse = Callable[[Fault], web.Response]


def plain_refusal(fault: Fault) -> web.Response:
    """An error answer without a body."""
    return web.Response(status=fault.status, headers=fault.headers)


class FaultyServer:
    """`serve` answers as the vendor would; `refuse` builds its error answers.

    Implements `contract.Vendor`.
    """

    def __init__(
        self, serve: Serve, refuse: Refuse = plain_refusal, *, faults: Iterator[Fault] | None = None
    ) -> None:
        self._serve = serve
        self._refuse = refuse
        self._plan = faults
        self._next: deque[Fault] = deque()
        self._seen: set[object] = set()
        self._runner: web.ServerRunner | None = None
        self._ending = asyncio.Event()
        self.url = ""
        self.keys: list[str] = []
        self.accepted: Counter[str] = Counter()

    def play(self, *faults: Fault) -> None:
        """What happens to the next requests, one each."""
        self._next.extend(faults)

    @property
    def open_connections(self) -> int:
        return len(self._runner.server.connections) if self._runner and self._runner.server else 0

    @property
    def opened_connections(self) -> int:
        """How many there have been."""
        return len(self._seen)

    async def start(self) -> None:
        """Listen on a free port of the loopback interface."""
        self._runner = web.ServerRunner(
            web.Server(self._handle, access_log=None), shutdown_timeout=0.1
        )
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        """End all requests that hang, and stop."""
        self._ending.set()
        if self._runner:
            await self._runner.cleanup()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self._seen.add(request.protocol)
        fault = self._next.popleft() if self._next else next(self._plan) if self._plan else SERVED
        taken = await self._serve(request, await request.read())  # type: ignore[arg-type]
        self.keys.append(taken.key)
        if fault.play is Play.REFUSE:
            return self._refuse(fault)
        if taken.accepted:
            self.accepted[taken.key] += 1
        return await self._answer(request, taken.answer, fault.play)

    async def _answer(
        self, request: web.BaseRequest, answer: web.Response, play: Play
    ) -> web.StreamResponse:
        transport = request.transport
        if transport is None or play is Play.SERVE:
            return answer
        match play:
            case Play.STALL:
                await self._ending.wait()
            case Play.SLOW_HEADERS:
                await self._drip(transport, b"HTTP/1.1 200 OK\r\nServer: slow" + b"y" * 600)
            case Play.BREAK_ANSWER:
                transport.write(b'HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n{"half": ')
                await asyncio.sleep(0.05)  # a reset overtakes what was not read yet
            case Play.MALFORM:
                return web.Response(
                    status=answer.status, body=b'\xff<html>{"', content_type="application/json"
                )
            case _:
                pass
        transport.abort()
        return web.Response()

    async def _drip(self, transport: asyncio.Transport, head: bytes) -> None:
        for byte in head:
            if self._ending.is_set() or transport.is_closing():
                return
            transport.write(bytes([byte]))
            await asyncio.sleep(0.1)


@asynccontextmanager
async def faulty(
    serve: Serve, refuse: Refuse = plain_refusal, *, faults: Iterator[Fault] | None = None
) -> AsyncIterator[FaultyServer]:
    """A FaultyServer that runs as long as the block."""
    server = FaultyServer(serve, refuse, faults=faults)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()
