"""What all measurements share: the plan, the receiver, sites of the product, and the samples."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import psutil

from benchmarks import processes
from benchmarks.cpu import Meter
from benchmarks.figures import Samples
from benchmarks.load import at_share
from benchmarks.messages import PLAIN, Shape
from benchmarks.plan import Plan
from benchmarks.processes import BenchError, Role, until
from benchmarks.product import Site

Watch = Callable[[str, int], AbstractAsyncContextManager[None]]
GATES_ON: Mapping[str, str] = {
    "RECIPIENT_RATE_LIMIT": "60/minute",
    "RATE_LIMIT_PER_CHANNEL": "100000",
}
"""Limits that count every message, and that the bench's own recipients do not reach."""


def unwatched(_name: str, _pid: int) -> AbstractAsyncContextManager[None]:
    return nullcontext()


@dataclass(slots=True)
class Bench:
    """What the measurements share: `intake` takes creates and has no worker, `line` delivers."""

    plan: Plan
    http: aiohttp.ClientSession
    intake: Site
    line: Site
    fresh: Callable[..., AbstractAsyncContextManager[Site]]
    """A site for one measurement, with every gate on and what is given more.

    What still waits at the end is thrown away.
    """
    brokers: str
    receiver: Role
    bare_api: Role
    services: Mapping[str, Callable[[], psutil.Process | None]]
    samples: Samples = field(default_factory=Samples)
    watch: Watch = unwatched
    """Opened around the work of a process whose profile is worth having."""

    def meter(self, **roles: int) -> Meter:
        """CPU of these processes, of the services and of the receiver."""
        own = {**roles, "receiver": self.receiver.pid}
        return Meter(
            {**{name: _constant(psutil.Process(pid)) for name, pid in own.items()}, **self.services}
        )

    async def received(self, tag: str = "") -> dict[str, int]:
        """What the receiver has counted since it was reset: of one tag, or in all."""
        return await self._ask(f"stats/{tag}")

    async def arrivals(self, tag: str) -> dict[str, int]:
        """When each mark of the tag arrived first, in nanoseconds since 1970."""
        return await self._ask(f"arrivals/{tag}")

    async def reset(self) -> None:
        """Let the receiver forget what arrived."""
        await self._ask("reset/")

    async def arrived(
        self, count: int, tag: str = "", *, patience_s: float = 120.0, step_s: float = 0.05
    ) -> None:
        """Wait for that many different marks."""

        async def enough() -> bool:
            return (await self.received(tag))["unique"] >= count

        await until(enough, what=f"{count} deliveries {tag}", patience_s=patience_s, step_s=step_s)

    async def delay(self, **channels_ms: int) -> None:
        """Let the receiver take that long for each new message of these channels."""
        for channel, delay_ms in channels_ms.items():
            await self._ask(f"delay/{channel}/{delay_ms}")

    @asynccontextmanager
    async def slow(self, **channels_ms: int) -> AsyncIterator[None]:
        """`delay`, until the block ends."""
        await self.delay(**channels_ms)
        try:
            yield
        finally:
            await self.delay(**dict.fromkeys(channels_ms, 0))

    async def _ask(self, path: str) -> dict[str, int]:
        async with self.http.get(f"{self.receiver.url}/{path}") as answer:
            found: dict[str, int] = await answer.json()
            return found


def _constant(process: psutil.Process) -> Callable[[], psutil.Process]:
    return lambda: process


async def pair(
    turn: int, product: Callable[[], Awaitable[None]], other: Callable[[], Awaitable[None]]
) -> None:
    """Run both, in alternating order, so that a drift of the machine favours neither."""
    for work in (product, other) if turn % 2 == 0 else (other, product):
        await work()


async def load(
    kind: str, api: Role, *, tag: str, shape: Shape = PLAIN, **options: Any
) -> dict[str, Any]:
    """Run the load generator; its report.

    Raises:
        BenchError: something was not accepted.
    """
    report = await processes.ask(
        "benchmarks.load", kind=kind, port=api.port, tag=tag, shape=shape.options(), **options
    )
    if report["refusal"] or not report["done"]:
        raise BenchError(f"{kind} to {api.url}: {report['refusal'] or 'nothing was accepted'}")
    return report


async def enqueue(
    bench: Bench, api: Role, tag: str, total: int, *, shape: Shape = PLAIN, size: int | None = None
) -> dict[str, Any]:
    """Batches, of the plan's size unless another is given, until the last answer.

    The report of the load generator.
    """
    return await load(
        "batches",
        api,
        tag=tag,
        shape=shape,
        connections=bench.plan.batch_connections,
        total=total,
        size=size or bench.plan.batch_size,
    )


async def paced(
    api: Role, tag: str, *, rate: int, count: int, shape: Shape = PLAIN
) -> dict[str, int]:
    """Single creates at a steady rate; when each left, by its mark, in nanoseconds since 1970."""
    report = await load("paced", api, tag=tag, shape=shape, connections=16, rate=rate, count=count)
    sent: dict[str, int] = report["sent"]
    return sent


def p50_p99(sent: Iterable[tuple[str, int]], arrivals: Mapping[str, int]) -> tuple[float, float]:
    """Half and 99 % of these marks arrived within so many milliseconds."""
    ordered = sorted(arrivals[name] - at for name, at in sent)
    return at_share(ordered, 0.5) / 1e6, at_share(ordered, 0.99) / 1e6


async def delivered(
    bench: Bench, api: Role, tag: str, count: int, *, shape: Shape = PLAIN
) -> float:
    """Deliveries per second of so many, which are accepted while the workers run."""
    await enqueue(bench, api, tag, count, shape=shape)
    await bench.arrived(count, tag, patience_s=600, step_s=0.1)
    return rate(await bench.received(tag))


def rate(stats: Mapping[str, int]) -> float:
    """Deliveries per second, from the first arrival to the last; 0 for fewer than two."""
    return max(stats["unique"] - 1, 0) * 1e9 / max(stats["last_ns"] - stats["first_ns"], 1)
