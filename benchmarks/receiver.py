"""The receiver: answers every POST, at once or delayed, and notes when each mark arrived first.

A process of its own: `python -m benchmarks.receiver PORT`. It parses only lengths, so that it costs
far less than a framework's server. It is controlled by GET /stats/TAG, /arrivals/TAG (without a
tag: all), /delay/CHANNEL/MS and /reset/.
"""

import asyncio
import json
import sys
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import cast

import uvloop

from benchmarks import wire
from benchmarks.messages import channel_of, mark, tag_of


@dataclass(slots=True)
class Series:
    """What arrived of one tag.

    Times in nanoseconds since 1970, `arrivals` of the first of each mark.
    """

    total: int = 0
    last_ns: int = 0
    arrivals: dict[bytes, int] = field(default_factory=dict)


class Book:
    """What arrived since the last reset, and how late each channel is answered (seconds)."""

    def __init__(self) -> None:
        self.noted = 0
        self.series: defaultdict[bytes, Series] = defaultdict(Series)
        self.delays: dict[bytes, float] = {}

    def note(self, body: bytes) -> float:
        """Count a delivery; in how many seconds it is to be answered."""
        self.noted += 1
        name = mark(body)
        series = self.series[tag_of(name)]
        series.total += 1
        series.last_ns = time.time_ns()
        series.arrivals.setdefault(name, series.last_ns)
        return self.delays.get(channel_of(body), 0.0) if self.delays else 0.0

    def control(self, path: str) -> dict[str, int]:
        """Obey, or answer, a request of the remote control."""
        what, _, rest = path.strip("/").partition("/")
        match what:
            case "reset":
                self.series.clear()
            case "delay":
                channel, delay_ms = rest.split("/")
                self.delays[channel.encode()] = int(delay_ms) / 1000
            case "arrivals":
                return {
                    name.decode(): at
                    for series in self._of(rest)
                    for name, at in series.arrivals.items()
                }
            case "stats":
                return _stats(list(self._of(rest)))
        return {}

    def _of(self, tag: str) -> Iterable[Series]:
        found = self.series.get(tag.encode())
        return self.series.values() if not tag else [found] if found else []


def _stats(found: list[Series]) -> dict[str, int]:
    firsts = [next(iter(series.arrivals.values())) for series in found]
    return {
        "total": sum(series.total for series in found),
        "unique": sum(len(series.arrivals) for series in found),
        "first_ns": min(firsts, default=0),
        "last_ns": max((series.last_ns for series in found), default=0),
    }


class Responder(asyncio.Protocol):
    """One keep-alive connection, on which a request follows the answer to the last."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._buffer = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while found := wire.take(self._buffer):
            head, body = found
            if head.startswith(b"POST "):
                self._deliver(body)
            else:
                path = head.split(b" ", 2)[1].decode()
                self._answer(200, json.dumps(self._book.control(path)).encode())

    def _deliver(self, body: bytes) -> None:
        delay_s = self._book.note(body)
        answer = (
            b'{"messageId":"m-%d","status":"accepted","timestamp":"2026-01-01T00:00:00Z"}'
            % self._book.noted
        )
        if delay_s:
            asyncio.get_running_loop().call_later(delay_s, self._answer, 202, answer)
        else:
            self._answer(202, answer)

    def _answer(self, status: int, body: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(wire.answer(status, body))


async def serve(port: int) -> None:
    """Serve on the loopback interface until the process is ended."""
    book = Book()
    server = await asyncio.get_running_loop().create_server(
        lambda: Responder(book), "127.0.0.1", port, backlog=2048
    )
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
