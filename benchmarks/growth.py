"""How a site grows: counts in its tables, a second worker, a million notifications.

Each is measured on a site of its own, with every gate on.
"""

import asyncio
from contextlib import AsyncExitStack
from functools import partial

from benchmarks.bench import Bench, delivered, enqueue, pair
from benchmarks.cpu import rss_mb
from benchmarks.product import Site

LASTING = {"RECIPIENT_RATE_LIMIT": "60/10m"}
"""The longest windows, so that counts remain after the deliveries."""


async def start(bench: Bench) -> None:
    """Seconds until a worker is ready, with its counts on disk and with all counts lost."""
    plan = bench.plan
    await bench.reset()
    async with bench.fresh(LASTING) as site:
        async with site.worker({}):
            await enqueue(bench, site.api, "counted", plan.counted)
            await bench.arrived(plan.counted, "counted", patience_s=600, step_s=0.5)
            await site.settled()
        for _ in range(plan.starts):
            bench.samples.product["start"].append(await _until_ready(site))
            site.forget_tables()
            bench.samples.reference["start"].append(await _until_ready(site))


async def _until_ready(site: Site) -> float:
    began = asyncio.get_running_loop().time()
    async with site.worker({}):
        return asyncio.get_running_loop().time() - began


async def workers(bench: Bench) -> None:
    """A backlog for two workers, and for one.

    All of them, the services and the receiver share the machine's cores.
    """
    found = bench.samples
    for turn in range(bench.plan.worker_pairs):
        two = partial(_shared, bench, found.product, f"two{turn}", 2)
        await pair(turn, two, partial(_shared, bench, found.reference, f"one{turn}", 1))


async def _shared(bench: Bench, into: dict[str, list[float]], tag: str, count: int) -> None:
    await bench.reset()
    async with bench.fresh() as site, AsyncExitStack() as stack:
        for slot in range(count):
            await stack.enter_async_context(site.worker({"WORKER_SLOT": str(slot)}))
        into["workers"].append(await delivered(bench, site.api, tag, bench.plan.backlog))
        await site.settled()


async def million(bench: Bench) -> None:
    """Portions in sequence through one API process and one worker; the last against the second.

    The first portion warms up.
    """
    plan = bench.plan
    await bench.reset()
    async with bench.fresh() as site, site.worker({}) as worker:
        portions = plan.million // plan.portion
        meter = bench.meter(api=site.api.pid, worker=worker.pid)
        for number in range(portions):
            before = meter.read()
            speed = await delivered(bench, site.api, f"portion{number}", plan.portion)
            await site.settled()
            bench.samples.spent("notification of a portion", meter.since(before), plan.portion)
            found = {
                "million": speed,
                "million_api": rss_mb(site.api.pid),
                "million_worker": rss_mb(worker.pid),
            }
            for key, value in found.items():
                bench.samples.notes[f"{key}, each portion"].append(round(value, 1))
                if number in (1, portions - 1):
                    into = bench.samples.reference if number == 1 else bench.samples.product
                    into[key].append(value)
