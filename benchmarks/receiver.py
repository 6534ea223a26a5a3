"""The receiving end: answers every POST at once, and knows when each mark arrived first.

A process of its own: `python -m benchmarks.receiver PORT`. It parses nothing but lengths, so that it costs a
fraction of a server of a framework. GET /stats, /arrivals and /reset are its remote control.
"""

import asyncio
import json
import sys
import time
from typing import cast

import uvloop

from benchmarks import wire
from benchmarks.messages import mark


class Book:
    """What arrived since the last reset; times in nanoseconds since 1970."""

    def __init__(self) -> None:
        self.total = 0
        self.last_ns = 0
        self.arrivals: dict[bytes, int] = {}

    def note(self, body: bytes) -> None:
        """Count a delivery; only the first of a mark is kept."""
        self.total += 1
        self.last_ns = time.time_ns()
        self.arrivals.setdefault(mark(body), self.last_ns)

    def stats(self) -> dict[str, int]:
        first = next(iter(self.arrivals.values()), 0)
        return {"total": self.total, "unique": len(self.arrivals), "first_ns": first, "last_ns": self.last_ns}


class Responder(asyncio.Protocol):
    """One keep-alive connection."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._buffer = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while found := wire.take(self._buffer):
            head, body = found
            self._transport.write(self._delivery(body) if head.startswith(b"POST ") else self._control(head))

    def _delivery(self, body: bytes) -> bytes:
        self._book.note(body)
        return wire.answer(
            202, b'{"messageId":"m-%d","status":"accepted","timestamp":"2026-01-01T00:00:00Z"}' % self._book.total)

    def _control(self, head: bytes) -> bytes:
        path = head.split(b" ", 2)[1]
        if path == b"/reset":
            self._book.__init__()  # type: ignore[misc]
        if path == b"/arrivals":
            arrivals = {name.decode(): at for name, at in self._book.arrivals.items()}
            return wire.answer(200, json.dumps(arrivals).encode())
        return wire.answer(200, json.dumps(self._book.stats()).encode())


async def serve(port: int) -> None:
    """Serve on the loopback interface until the process is ended."""
    book = Book()
    server = await asyncio.get_running_loop().create_server(lambda: Responder(book), "127.0.0.1", port, backlog=2048)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
