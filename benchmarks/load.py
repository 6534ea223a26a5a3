"""The load generator, a process of its own: prints one JSON object with what it counted.

`python -m benchmarks.load JSON`, where JSON holds `kind` (creates, batches or paced), port, tag,
shape (what the notifications have in common), and the fields of that kind. Connections are raw
asyncio protocols: the generator must never be the bottleneck.
"""

import asyncio
import json
import resource
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import uvloop

from benchmarks import messages, wire
from benchmarks.messages import Shape

Answered = Callable[["Connection", int, bytes], None]


class Connection(asyncio.Protocol):
    """One keep-alive connection with at most one request under way."""

    def __init__(self, answered: Answered) -> None:
        self._answered = answered
        self._buffer = bytearray()
        self.sent_ns = 0
        self.lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True

    def send(self, request: bytes) -> None:
        self.sent_ns = time.time_ns()
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if found := wire.take(self._buffer):
            self._answered(self, wire.status(found[0]), found[1])


@dataclass(slots=True)
class Tally:
    """What was answered, and how fast (nanoseconds)."""

    statuses: Counter[int] = field(default_factory=Counter)
    latencies: list[int] = field(default_factory=list)
    refusal: str = ""

    def add(self, status: int, body: bytes, *, took_ns: int) -> None:
        self.statuses[status] += 1
        self.latencies.append(took_ns)
        partly = b'"rejected_count":' in body and b'"rejected_count":0' not in body
        if (status != 202 or partly) and not self.refusal:
            self.refusal = f"{status}: {body[:300].decode(errors='replace')}"

    def report(self, seconds: float, connections: Iterable[Connection]) -> dict[str, Any]:
        ordered = sorted(self.latencies)
        if any(connection.lost for connection in connections):
            self.refusal = self.refusal or "a connection was closed"
        return {
            "done": self.statuses[202],
            "seconds": seconds,
            "refusal": self.refusal,
            "p50_ms": at_share(ordered, 0.5) / 1e6,
            "p99_ms": at_share(ordered, 0.99) / 1e6,
        }


def at_share(ordered: list[int], share: float) -> int:
    """The value below which this share of the sorted values lies; 0 for none."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0


async def connect(port: int, count: int, answered: Answered) -> list[Connection]:
    loop = asyncio.get_running_loop()
    return [
        (await loop.create_connection(lambda: Connection(answered), "127.0.0.1", port))[1]
        for _ in range(count)
    ]


class ClosedLoop:
    """Every connection sends its next request when the last one is answered.

    `total` requests, or until stopped.
    """

    def __init__(self, requests: Iterator[bytes]) -> None:
        self.tally = Tally()
        self.finished = asyncio.Event()
        self._requests = requests
        self._under_way = 0

    def start(self, connections: list[Connection]) -> None:
        for connection in connections:
            self._next(connection)

    def stop(self) -> None:
        self._requests = iter(())

    def answered(self, connection: Connection, status: int, body: bytes) -> None:
        self._under_way -= 1
        self.tally.add(status, body, took_ns=time.time_ns() - connection.sent_ns)
        self._next(connection)

    def _next(self, connection: Connection) -> None:
        request = next(self._requests, None)
        if request is not None:
            self._under_way += 1
            connection.send(request)
        elif not self._under_way:
            self.finished.set()


async def creates(
    *, port: int, connections: int, tag: str, shape: Shape, warm_s: float, seconds: float
) -> dict[str, Any]:
    """Single creates for some seconds, after a warm-up that does not count."""
    loop = ClosedLoop(messages.creates(tag, shape))
    ready = await connect(port, connections, loop.answered)
    loop.start(ready)
    await asyncio.sleep(warm_s)
    loop.tally, started, cpu = Tally(), time.perf_counter(), _cpu_s()
    await asyncio.sleep(seconds)
    counted, took, used = loop.tally, time.perf_counter() - started, _cpu_s() - cpu
    loop.tally = Tally()
    loop.stop()
    await asyncio.wait_for(loop.finished.wait(), 30)
    return {**counted.report(took, ready), "cpu_s": used}


async def batches(
    *, port: int, connections: int, tag: str, shape: Shape, total: int, size: int
) -> dict[str, Any]:
    """`total` notifications in batches, built before the clock starts."""
    requests = list(messages.batches(tag, total, size, shape))
    loop = ClosedLoop(iter(requests))
    ready = await connect(port, connections, loop.answered)
    started, cpu = time.perf_counter(), _cpu_s()
    loop.start(ready)
    await asyncio.wait_for(loop.finished.wait(), 120)
    return {**loop.tally.report(time.perf_counter() - started, ready), "cpu_s": _cpu_s() - cpu}


async def paced(
    *, port: int, connections: int, tag: str, shape: Shape, rate: int, count: int
) -> dict[str, Any]:
    """Creates at a steady rate, whatever the answers do.

    `sent` says when each left, nanoseconds since 1970.
    """
    # The one that is idle longest comes next: the API closes connections that idle.
    tally, sent, free = Tally(), dict[str, int](), deque[Connection]()

    def answered(connection: Connection, status: int, body: bytes) -> None:
        tally.add(status, body, took_ns=time.time_ns() - connection.sent_ns)
        free.append(connection)

    ready = await connect(port, connections, answered)
    free.extend(ready)
    started, cpu = time.perf_counter(), _cpu_s()
    for number in range(count):
        await asyncio.sleep(max(0.0, started + number / rate - time.perf_counter()))
        while not free:
            await asyncio.sleep(0.001)
        connection = free.popleft()
        connection.send(messages.create(tag, number, shape))
        sent[f"{tag}-{number}"] = connection.sent_ns
    await _until(lambda: len(free) == connections)
    return {
        **tally.report(time.perf_counter() - started, ready),
        "cpu_s": _cpu_s() - cpu,
        "sent": sent,
    }


async def _until(condition: Callable[[], bool], *, patience_s: float = 30.0) -> None:
    async with asyncio.timeout(patience_s):
        while not condition():
            await asyncio.sleep(0.01)


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


KINDS: Mapping[str, Callable[..., Coroutine[Any, Any, dict[str, Any]]]] = {
    "creates": creates,
    "batches": batches,
    "paced": paced,
}


def main(argument: str) -> None:
    """Run what the JSON argument asks for."""
    options = json.loads(argument)
    work, shape = KINDS[options.pop("kind")], Shape(**options.pop("shape"))
    print(json.dumps(uvloop.run(work(**options, shape=shape))))


if __name__ == "__main__":
    main(sys.argv[1])
