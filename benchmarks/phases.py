"""The measurements of one round: each figure of the product with its bare limit right beside it."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial

from benchmarks import processes, topics
from benchmarks.bench import GATES_ON, Bench, enqueue, load, p50_p99, paced, pair, rate
from benchmarks.cpu import rss_mb
from benchmarks.processes import BenchError, Role, serving

BUDGET = frozenset({"api", "worker", "postgres"})
Phase = Callable[[Bench, int], Awaitable[None]]


async def creates(bench: Bench, turn: int) -> None:
    """Figure 1: single creates on one connection and on many."""
    for connections in (1, bench.plan.connections):
        await pair(
            turn,
            partial(_creates, bench, turn, connections),
            partial(_bare_creates, bench, turn, connections),
        )


async def _creates(bench: Bench, turn: int, connections: int) -> None:
    plan, api = bench.plan, bench.intake.api
    meter = bench.meter(api=api.pid)
    before = meter.read()
    async with bench.watch(f"api-creates-{connections}", api.pid):
        report = await load(
            "creates",
            api,
            tag=f"c{turn}",
            connections=connections,
            warm_s=plan.warm_s,
            seconds=plan.create_s,
        )
    used = meter.since(before)
    key = "creates_1" if connections == 1 else "creates_64"
    bench.samples.product[key].append(report["done"] / report["seconds"])
    bench.samples.notes[f"{key} answer p50, ms"].append(report["p50_ms"])
    bench.samples.notes[f"{key} answer p99, ms"].append(report["p99_ms"])
    # The warm-up is in the meter too, at about the same rate.
    count = round(report["done"] * (plan.warm_s + plan.create_s) / plan.create_s)
    bench.samples.spent(f"create, {connections} connections", used, count)
    bench.samples.spent(
        f"create, {connections} connections", {"generator": report["cpu_s"]}, report["done"]
    )


async def _bare_creates(bench: Bench, turn: int, connections: int) -> None:
    report = await load(
        "creates",
        bench.bare_api,
        tag=f"c{turn}",
        connections=connections,
        warm_s=bench.plan.warm_s,
        seconds=bench.plan.create_s,
    )
    key = "creates_1" if connections == 1 else "creates_64"
    bench.samples.reference[key].append(report["done"] / report["seconds"])


async def ceiling(bench: Bench, turn: int) -> None:
    """The generator against the receiver alone: the ceiling of everything measured with them."""
    report = await load(
        "creates",
        bench.receiver,
        tag=f"g{turn}",
        connections=bench.plan.connections,
        warm_s=0.2,
        seconds=bench.plan.create_s / 2,
    )
    bench.samples.notes["generator to receiver, requests/s"].append(
        report["done"] / report["seconds"]
    )


async def ingest(bench: Bench, turn: int) -> None:
    """Figure 2: batches; they become the first backlog of figure 3.

    The bare COPY needs the product's rows first.
    """
    plan, api = bench.plan, bench.line.api
    meter = bench.meter(api=api.pid)
    before = meter.read()
    started = asyncio.get_running_loop().time()
    async with bench.watch("api-ingest", api.pid):
        report = await enqueue(bench, api, f"b{turn}", plan.backlog)
        await bench.line.published()
    waited_s = asyncio.get_running_loop().time() - started
    bench.samples.notes["until the backlog is on Kafka or held back, s"].append(waited_s)
    bench.samples.spent(
        "batch item", {**meter.since(before), "generator": report["cpu_s"]}, plan.backlog
    )
    bench.samples.product["ingest"].append(plan.backlog / report["seconds"])
    copied = await processes.ask(
        "benchmarks.bare_copy",
        url=bench.line.database_url,
        rows=plan.backlog,
        size=plan.batch_size,
        connections=plan.batch_connections,
    )
    bench.samples.reference["ingest"].append(copied["done"] / copied["seconds"])


async def deliveries(bench: Bench, turn: int) -> None:
    """Figures 3 and 5: a backlog with every gate on, and one without limits.

    Between them the bare loop.

    The first backlog is that of figure 2.
    """
    gated = partial(_deliveries, bench, "_gated", GATES_ON)
    free = partial(_deliveries, bench, "", {})
    first, second = (gated, free) if turn % 2 == 0 else (free, gated)
    topic = f"{bench.line.prefix}.bare-backlog"
    if turn == 0:  # every round reads it again
        await topics.create(bench.brokers, topic)
    await first()
    if turn == 0:
        await topics.fill(bench.brokers, topic, bench.plan.backlog)
    await _bare_deliveries(bench, topic, turn)
    await _backlog(bench, bench.line.api, f"d{turn}")
    await second()


async def _deliveries(bench: Bench, variant: str, settings: Mapping[str, str]) -> None:
    drained = await _drain(
        bench, f"delivery, {'every gate on' if settings else 'without limits'}", settings
    )
    bench.samples.product[f"deliveries{variant}"].append(drained.rate)
    if drained.cpu_ms is not None:
        bench.samples.product[f"cpu{variant}"].append(drained.cpu_ms)
    if settings:
        bench.samples.product["memory_worker"].append(drained.worker_mb)
        bench.samples.product["memory_api"].append(rss_mb(bench.line.api.pid))


async def holding(bench: Bench, turn: int) -> None:
    """What holding back costs: the backlog of figure 3, beside one that went to Kafka at once."""
    async with bench.line.unheld() as api:
        await _backlog(bench, api, f"h{turn}")
        if await bench.line.holds_back():
            raise BenchError(
                "holding back could not be switched off: benchmarks/unheld.py is out of date"
            )
        drained = await _drain(bench, "delivery, nothing held back", {})
    bench.samples.product["holding"].append(bench.samples.product["deliveries"][-1])
    bench.samples.reference["holding"].append(drained.rate)


async def _backlog(bench: Bench, api: Role, tag: str) -> None:
    """A further backlog, not measured."""
    await enqueue(bench, api, tag, bench.plan.backlog)
    await bench.line.published()


@dataclass(frozen=True, slots=True)
class Drained:
    """Record a backlog: deliveries per second, CPU per delivery, memory at the end."""

    rate: float
    cpu_ms: float | None
    """None when PostgreSQL runs on another machine."""
    worker_mb: float


async def _drain(bench: Bench, name: str, settings: Mapping[str, str]) -> Drained:
    total = bench.plan.backlog
    await bench.reset()
    # The meter starts with the first delivery, so that the start of the process is left out.
    async with bench.line.worker(settings, ready=False) as worker:
        await bench.arrived(1, step_s=0.02)
        meter = bench.meter(api=bench.line.api.pid, worker=worker.pid)
        before, seen = meter.read(), (await bench.received())["unique"]
        async with bench.watch(f"worker-{name}", worker.pid):
            await bench.arrived(total)
        await asyncio.sleep(0.5)  # the last records
        used, memory = meter.since(before), rss_mb(worker.pid)
        await bench.line.settled()
    stats = await bench.received()
    bench.samples.notes[f"{name}: duplicates"].append(stats["total"] - stats["unique"])
    bench.samples.spent(name, used, total - seen)
    budget = sum(used[part] for part in BUDGET) if used.keys() >= BUDGET else None
    return Drained(rate(stats), None if budget is None else budget * 1000 / (total - seen), memory)


async def _bare_deliveries(bench: Bench, topic: str, turn: int) -> None:
    total = bench.plan.backlog
    await bench.reset()
    report = await processes.ask(
        "benchmarks.bare_delivery",
        brokers=bench.brokers,
        topic=topic,
        group=f"{topic}-{turn}",
        url=f"{bench.receiver.url}/",
        in_flight=bench.plan.in_flight,
        count=total,
    )
    stats = await bench.received()
    if stats["unique"] != total:
        raise BenchError(f"the bare loop delivered {stats['unique']} of {total}")
    for variant in ("", "_gated"):
        bench.samples.reference[f"deliveries{variant}"].append(rate(stats))
        bench.samples.reference[f"cpu{variant}"].append(report["cpu_s"] * 1000 / total)


async def latency(bench: Bench, turn: int) -> None:
    """Figure 4: creates at a steady rate until they arrive.

    Bare, a handler that produces and the bare loop.
    """
    await pair(turn, partial(_latency, bench, turn), partial(_bare_latency, bench, turn))


async def _latency(bench: Bench, turn: int) -> None:
    async with bench.line.worker(GATES_ON) as worker:
        async with (
            bench.watch("worker-latency", worker.pid),
            bench.watch("api-latency", bench.line.api.pid),
        ):
            p50, p99 = await _paced(bench, bench.line.api, f"p{turn}")
        await bench.line.settled()
    bench.samples.product["latency_p50"].append(p50)
    bench.samples.product["latency_p99"].append(p99)


async def _bare_latency(bench: Bench, turn: int) -> None:
    plan, topic = bench.plan, f"{bench.line.prefix}.bare-latency-{turn}"
    options = {
        "brokers": bench.brokers,
        "topic": topic,
        "group": topic,
        "url": f"{bench.receiver.url}/",
        "in_flight": plan.in_flight,
        "count": plan.latency_count,
    }
    await topics.create(bench.brokers, topic)
    async with (
        serving("benchmarks.bare_api", bench.brokers, topic) as api,
        processes.running("benchmarks.bare_delivery", json.dumps(options)) as loop,
    ):
        assert loop.stdout is not None
        await asyncio.wait_for(loop.stdout.readline(), 30)
        p50, p99 = await _paced(bench, api, f"q{turn}")
    bench.samples.reference["latency_p50"].append(p50)
    bench.samples.reference["latency_p99"].append(p99)


async def _paced(bench: Bench, api: Role, tag: str) -> tuple[float, float]:
    """p50 and p99 in milliseconds, from the first byte sent to the arrival.

    The first seconds do not count.
    """
    plan = bench.plan
    await bench.reset()
    sent = await paced(api, tag, rate=plan.latency_rate, count=plan.latency_count)
    await bench.arrived(len(sent))
    warm = int(plan.latency_rate * plan.latency_warm_s)
    return p50_p99(list(sent.items())[warm:], await bench.arrivals(tag))
