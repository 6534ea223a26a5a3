"""The measurements of one round: each figure of the product with its bare limit right beside it."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import aiohttp
import psutil

from benchmarks import processes, topics
from benchmarks.cpu import Meter, rss_mb
from benchmarks.figures import Samples
from benchmarks.load import at_share
from benchmarks.plan import Plan
from benchmarks.processes import BenchError, free_port, until
from benchmarks.product import Role, Site

TOPIC = "sms.normal"
BUDGET = frozenset({"api", "worker", "postgres"})
Phase = Callable[["Bench", int], Awaitable[None]]
Watch = Callable[[str, int], AbstractAsyncContextManager[None]]


def unwatched(_name: str, _pid: int) -> AbstractAsyncContextManager[None]:
    return nullcontext()


@dataclass(slots=True)
class Bench:
    """What the measurements share: `intake` takes creates and has no worker, `line` delivers."""

    plan: Plan
    http: aiohttp.ClientSession
    intake: Site
    line: Site
    brokers: str
    receiver: Role
    bare_api: int
    services: Mapping[str, Callable[[], psutil.Process | None]]
    samples: Samples = field(default_factory=Samples)
    watch: Watch = unwatched
    """Opened around the work of a process whose profile is worth having."""

    def meter(self, **roles: int) -> Meter:
        """CPU of these processes, of the services and of the receiver."""
        own = {**roles, "receiver": self.receiver.pid}
        return Meter({**{name: _constant(psutil.Process(pid)) for name, pid in own.items()}, **self.services})

    async def received(self, what: str = "stats") -> dict[str, int]:
        async with self.http.get(f"{self.receiver.url}/{what}") as answer:
            found: dict[str, int] = await answer.json()
            return found


def _constant(process: psutil.Process) -> Callable[[], psutil.Process]:
    return lambda: process


async def pair(turn: int, product: Callable[[], Awaitable[None]], bare: Callable[[], Awaitable[None]]) -> None:
    """Both, the bare one first in every other round, so that a drift of the machine favours neither."""
    for work in (product, bare) if turn % 2 == 0 else (bare, product):
        await work()


def port_of(role: Role) -> int:
    return int(role.url.rsplit(":", 1)[1])


async def load(**options: Any) -> dict[str, Any]:
    """Run the load generator; its report.

    Raises:
        BenchError: something was not accepted.
    """
    report = await processes.ask("benchmarks.load", **options)
    if report["refusal"] or not report["done"]:
        raise BenchError(f"{options['kind']} to port {options['port']}: {report['refusal'] or 'nothing was accepted'}")
    return report


async def creates(bench: Bench, turn: int) -> None:
    """Figure 1: single creates on one connection and on many."""
    for connections in (1, bench.plan.connections):
        await pair(turn, partial(_creates, bench, turn, connections), partial(_bare_creates, bench, turn, connections))


async def _creates(bench: Bench, turn: int, connections: int) -> None:
    plan, api = bench.plan, bench.intake.api
    meter = bench.meter(api=api.pid)
    before = meter.read()
    async with bench.watch(f"api-creates-{connections}", api.pid):
        report = await load(
            kind="creates", port=port_of(api), connections=connections, tag=f"c{turn}", warm_s=plan.warm_s,
            seconds=plan.create_s)
    used = meter.since(before)
    key = "creates_1" if connections == 1 else "creates_64"
    bench.samples.product[key].append(report["done"] / report["seconds"])
    bench.samples.notes[f"{key} answer p50, ms"].append(report["p50_ms"])
    bench.samples.notes[f"{key} answer p99, ms"].append(report["p99_ms"])
    # The warm-up is in the meter too, at about the same rate.
    count = round(report["done"] * (plan.warm_s + plan.create_s) / plan.create_s)
    bench.samples.spent(f"create, {connections} connections", used, count)
    bench.samples.spent(f"create, {connections} connections", {"generator": report["cpu_s"]}, report["done"])


async def _bare_creates(bench: Bench, turn: int, connections: int) -> None:
    report = await load(
        kind="creates", port=bench.bare_api, connections=connections, tag=f"c{turn}", warm_s=bench.plan.warm_s,
        seconds=bench.plan.create_s)
    key = "creates_1" if connections == 1 else "creates_64"
    bench.samples.bare[key].append(report["done"] / report["seconds"])


async def ceiling(bench: Bench, turn: int) -> None:
    """What the generator and the receiver can do with each other: the ceiling of everything measured with them."""
    report = await load(
        kind="creates", port=port_of(bench.receiver), connections=bench.plan.connections, tag=f"g{turn}", warm_s=0.2,
        seconds=bench.plan.create_s / 2)
    bench.samples.notes["generator to receiver, requests/s"].append(report["done"] / report["seconds"])


async def ingest(bench: Bench, turn: int) -> None:
    """Figure 2: batches; they become the backlog of figure 3. The bare COPY needs the product's rows first."""
    plan, api = bench.plan, bench.line.api
    meter = bench.meter(api=api.pid)
    before = meter.read()
    started = asyncio.get_running_loop().time()
    async with bench.watch("api-ingest", api.pid):
        report = await load(
            kind="batches", port=port_of(api), connections=plan.batch_connections, tag=f"b{turn}", total=plan.backlog,
            size=plan.batch_size)
        await bench.line.published()
    bench.samples.notes["until the backlog is on Kafka, s"].append(asyncio.get_running_loop().time() - started)
    bench.samples.spent("batch item", {**meter.since(before), "generator": report["cpu_s"]}, plan.backlog)
    bench.samples.product["ingest"].append(plan.backlog / report["seconds"])
    copied = await processes.ask(
        "benchmarks.bare_copy", url=bench.line.database_url, rows=plan.backlog, size=plan.batch_size,
        connections=plan.batch_connections)
    bench.samples.bare["ingest"].append(copied["done"] / copied["seconds"])


async def deliveries(bench: Bench, turn: int) -> None:
    """Figures 3 and 5: the backlog of figure 2 is delivered; the bare loop reads the same records again."""
    await pair(turn, partial(_drain, bench, "deliveries", {}), partial(_bare_drain, bench, "deliveries"))


async def limited_deliveries(bench: Bench, turn: int) -> None:
    """The same with the product's own limits per recipient."""
    await ingest_again(bench, turn)
    await pair(
        turn, partial(_drain, bench, "deliveries_limited", {"RECIPIENT_RATE_LIMIT": "60/minute"}),
        partial(_bare_drain, bench, "deliveries_limited"))


async def ingest_again(bench: Bench, turn: int) -> None:
    """A second backlog, not measured."""
    plan = bench.plan
    await load(
        kind="batches", port=port_of(bench.line.api), connections=plan.batch_connections, tag=f"l{turn}",
        total=plan.backlog, size=plan.batch_size)
    await bench.line.published()


async def _drain(bench: Bench, key: str, settings: Mapping[str, str]) -> None:
    total = bench.plan.backlog
    await bench.received("reset")
    # The meter starts with the first delivery, so that the start of the process is left out.
    async with bench.line.worker(settings, ready=False) as worker:
        await until(lambda: _arrived(bench, 1), what="the first delivery", step_s=0.02)
        meter = bench.meter(api=bench.line.api.pid, worker=worker.pid)
        before, seen = meter.read(), (await bench.received())["unique"]
        async with bench.watch(f"worker-{key}", worker.pid):
            await until(lambda: _arrived(bench, total), what=f"{total} deliveries", patience_s=120)
        await asyncio.sleep(0.5)  # the last records
        used, memory = meter.since(before), rss_mb(worker.pid)
        await bench.line.settled()
    stats = await bench.received()
    bench.samples.product[key].append((stats["unique"] - 1) / _seconds(stats))
    bench.samples.notes[f"{key}, duplicates"].append(stats["total"] - stats["unique"])
    bench.samples.spent(key.replace("deliveries", "delivery"), used, total - seen)
    if used.keys() >= BUDGET:  # PostgreSQL may be on another machine
        budget = sum(used[part] for part in BUDGET)
        bench.samples.product[key.replace("deliveries", "cpu")].append(budget * 1000 / (total - seen))
    if key == "deliveries":
        bench.samples.product["memory_worker"].append(memory)
        bench.samples.product["memory_api"].append(rss_mb(bench.line.api.pid))


async def _bare_drain(bench: Bench, key: str) -> None:
    total = bench.plan.backlog
    await bench.received("reset")
    report = await processes.ask(
        "benchmarks.bare_delivery", brokers=bench.brokers, topic=f"{bench.line.prefix}.{TOPIC}",
        group=f"{bench.line.prefix}-bare", url=f"{bench.receiver.url}/", in_flight=bench.plan.in_flight, count=total)
    stats = await bench.received()
    if stats["unique"] != total:
        raise BenchError(f"the bare loop delivered {stats['unique']} of {total}")
    bench.samples.bare[key].append((total - 1) / _seconds(stats))
    bench.samples.bare[key.replace("deliveries", "cpu")].append(report["cpu_s"] * 1000 / total)


async def _arrived(bench: Bench, count: int) -> bool:
    return (await bench.received())["unique"] >= count


def _seconds(stats: Mapping[str, int]) -> float:
    return (stats["last_ns"] - stats["first_ns"]) / 1e9


async def latency(bench: Bench, turn: int) -> None:
    """Figure 4: creates at a steady rate until they arrive; bare, a handler that produces and the bare loop."""
    await pair(turn, partial(_latency, bench, turn), partial(_bare_latency, bench, turn))


async def _latency(bench: Bench, turn: int) -> None:
    async with bench.line.worker({}):
        p50, p99 = await _paced(bench, port_of(bench.line.api), f"p{turn}")
        await bench.line.settled()
    bench.samples.product["latency_p50"].append(p50)
    bench.samples.product["latency_p99"].append(p99)


async def _bare_latency(bench: Bench, turn: int) -> None:
    plan, port, topic = bench.plan, free_port(), f"{bench.line.prefix}.bare-latency-{turn}"
    options = {
        "brokers": bench.brokers, "topic": topic, "group": topic, "url": f"{bench.receiver.url}/",
        "in_flight": plan.in_flight, "count": int(plan.latency_rate * plan.latency_s)}
    await topics.create(bench.brokers, topic)
    async with (
        processes.running("benchmarks.bare_api", str(port), bench.brokers, topic),
        processes.running("benchmarks.bare_delivery", json.dumps(options)) as loop,
    ):
        assert loop.stdout is not None
        await asyncio.wait_for(loop.stdout.readline(), 30)
        await processes.listening(port)
        p50, p99 = await _paced(bench, port, f"q{turn}")
    bench.samples.bare["latency_p50"].append(p50)
    bench.samples.bare["latency_p99"].append(p99)


async def _paced(bench: Bench, port: int, tag: str) -> tuple[float, float]:
    """p50 and p99 in milliseconds, from the first byte sent to the arrival; the first seconds do not count."""
    plan = bench.plan
    await bench.received("reset")
    report = await load(
        kind="paced", port=port, connections=16, tag=tag, rate=plan.latency_rate, seconds=plan.latency_s)
    sent: dict[str, int] = report["sent"]
    await until(lambda: _arrived(bench, len(sent)), what=f"{len(sent)} deliveries")
    arrivals = await bench.received("arrivals")
    warm = int(plan.latency_rate * plan.latency_warm_s)
    ordered = sorted(arrivals[name] - at for name, at in list(sent.items())[warm:])
    return at_share(ordered, 0.5) / 1e6, at_share(ordered, 0.99) / 1e6
