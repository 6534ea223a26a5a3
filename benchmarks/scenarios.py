"""What one part of the traffic does to another; measured once a run, each on a site of its own.

The rates and delays are the plan's; every gate is on.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from statistics import median

from benchmarks.bench import Bench, delivered, enqueue, p50_p99, paced, pair, rate
from benchmarks.messages import Shape
from benchmarks.processes import BenchError, Role

Scenario = Callable[[Bench], Awaitable[None]]


async def isolation(bench: Bench) -> None:
    """Email at a fast provider, beside sms at a slow one that fills its lane, and alone."""
    plan = bench.plan
    await bench.reset()
    settings = {"WORKER_CONCURRENCY": str(plan.usual_in_flight)}
    async with (
        bench.fresh() as site,
        site.worker(settings),
        bench.slow(email=plan.email_ms, sms=plan.slow_sms_ms),
    ):
        await _emails(bench, site.api, "warm")
        for turn in range(plan.isolation_pairs):
            await pair(
                turn,
                partial(_beside_sms, bench, site.api, turn),
                partial(_alone, bench, site.api, turn),
            )
        await site.settled()


async def _alone(bench: Bench, api: Role, turn: int) -> None:
    bench.samples.reference["isolation"].append(await _emails(bench, api, f"alone{turn}"))


async def _beside_sms(bench: Bench, api: Role, turn: int) -> None:
    plan, tag = bench.plan, f"sms{turn}"
    await enqueue(bench, api, tag, plan.slow_sms)
    await bench.arrived(2 * plan.usual_in_flight, tag)
    before = await bench.received(tag)
    bench.samples.product["isolation"].append(await _emails(bench, api, f"beside{turn}"))
    after = await bench.received(tag)
    if after["unique"] == plan.slow_sms:
        raise BenchError(f"{plan.slow_sms} slow sms were over before the emails beside them")
    spent_s = max(after["last_ns"] - before["last_ns"], 1) / 1e9
    bench.samples.notes["sms/s beside the emails"].append(
        (after["unique"] - before["unique"]) / spent_s
    )
    await bench.delay(sms=0)  # the others are not measured
    await bench.arrived(plan.slow_sms, tag)
    await bench.delay(sms=plan.slow_sms_ms)


async def _emails(bench: Bench, api: Role, tag: str) -> float:
    """Emails per second, of as many as the plan says."""
    return await delivered(bench, api, tag, bench.plan.emails, shape=Shape(channel="email"))


async def telemetry(bench: Bench) -> None:
    """A backlog with a tenth of the traces kept and JSON logs, beside one with neither.

    The sender chooses the traces, so that exactly a tenth of them is kept in every run.
    """
    observed = {"OTLP_ENDPOINT": bench.bare_api.url, "TRACE_SAMPLING": "0.1", "LOG_LEVEL": "INFO"}
    for turn in range(bench.plan.telemetry_pairs):
        product = partial(_observed, bench, bench.samples.product, observed, "observed")
        silent = partial(_observed, bench, bench.samples.reference, {}, "silent")
        await pair(turn, product, silent)


async def _observed(
    bench: Bench, into: dict[str, list[float]], settings: Mapping[str, str], tag: str
) -> None:
    await bench.reset()
    async with bench.fresh(settings) as site:
        await enqueue(
            bench,
            site.api,
            tag,
            bench.plan.backlog,
            shape=Shape(traced_every="10"),
            size=bench.plan.telemetry_batch,
        )
        await site.published()
        async with site.worker({}, ready=False) as worker, bench.watch(f"worker-{tag}", worker.pid):
            await bench.arrived(bench.plan.backlog, tag)
            await site.settled()
    into["telemetry"].append(rate(await bench.received(tag)))


async def priority(bench: Bench) -> None:
    """High ones at a steady rate, while a backlog of low ones goes as fast as it can."""
    plan = bench.plan
    await bench.reset()
    async with bench.fresh() as site, site.worker({}):
        await enqueue(bench, site.api, "low", plan.low, shape=Shape(priority="low"))
        await bench.arrived(plan.low // 100, "low")
        sent = await paced(
            site.api, "high", rate=plan.high_rate, count=plan.high, shape=Shape(priority="high")
        )
        await bench.arrived(plan.high, "high")
        left = plan.low - (await bench.received("low"))["unique"]
        await site.settled()
    p50, p99 = p50_p99(sent.items(), await bench.arrivals("high"))
    bench.samples.product["high_p50"].append(p50)
    bench.samples.product["high_p99"].append(p99)
    bench.samples.notes["low ones that waited when the last high one arrived"].append(left)


async def fairness(bench: Bench) -> None:
    """Single messages of one tenant in sequence, while another floods the same lane."""
    plan = bench.plan
    await bench.reset()
    settings = {"WORKER_CONCURRENCY": str(plan.usual_in_flight)}
    async with bench.fresh() as site, site.worker(settings), bench.slow(sms=plan.flood_ms):
        shape = Shape(api_key=await site.tenant("other"))
        await enqueue(bench, site.api, "flood", plan.flood)
        took_ms = [
            await _single(bench, site.api, f"single{number}", shape)
            for number in range(plan.probes)
        ]
        flood = await bench.received("flood")
    bench.samples.product["fair_median"].append(median(took_ms))
    bench.samples.product["fair_slowest"].append(max(took_ms))
    bench.samples.notes["the flood meanwhile, deliveries/s"].append(rate(flood))
    bench.samples.notes["of the flood that waited when the last single one arrived"].append(
        plan.flood - flood["unique"]
    )


async def _single(bench: Bench, api: Role, tag: str, shape: Shape) -> float:
    """Milliseconds that one message takes end to end."""
    sent = await paced(api, tag, rate=1, count=1, shape=shape)
    await bench.arrived(1, tag)
    return p50_p99(sent.items(), await bench.arrivals(tag))[0]


async def scheduler(bench: Bench) -> None:
    """Many messages of one tenant come due at once, while another's pass the same lane."""
    plan = bench.plan
    await bench.reset()
    async with bench.fresh() as site, site.worker({}):
        shape = Shape(api_key=await site.tenant("other"))
        due = datetime.now(UTC) + timedelta(seconds=plan.due_in_s)
        await enqueue(bench, site.api, "due", plan.due, shape=Shape(scheduled_at=due.isoformat()))
        ahead_s = (due - datetime.now(UTC)).total_seconds() - 1
        if ahead_s < 0:
            raise BenchError(f"{plan.due} could not be scheduled in {plan.due_in_s:g} s")
        await asyncio.sleep(ahead_s)
        sent = await paced(
            site.api,
            "live",
            rate=plan.live_rate,
            count=int(plan.live_rate * plan.live_s),
            shape=shape,
        )
        await bench.arrived(plan.due, "due")
        await bench.arrived(len(sent), "live")
        await site.settled()
    came = await bench.received("due")
    due_ns = int(due.timestamp() * 1e9)
    if came["first_ns"] < due_ns:
        raise BenchError("a scheduled notification was delivered before its time")
    p50, p99 = p50_p99(during(sent, due_ns, came["last_ns"]), await bench.arrivals("live"))
    bench.samples.product["live_p50"].append(p50)
    bench.samples.product["live_p99"].append(p99)
    bench.samples.product["due"].append((came["last_ns"] - due_ns) / 1e9)


def during(sent: dict[str, int], since_ns: int, until_ns: int) -> list[tuple[str, int]]:
    """Those that were sent in this time, with when."""
    return [(name, at) for name, at in sent.items() if since_ns <= at <= until_ns]
