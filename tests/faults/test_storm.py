"""Everything at once, in an order that a seed decides and that is printed, so that it can be had
again.
"""

import asyncio
import os
import random
from datetime import UTC, datetime, timedelta

from tests.faults.levels import calm_again, levels
from tests.faults.oracle import judge
from tests.faults.sizes import FULL, in_full, sized
from tests.faults.storm import FAULTS, Storm, forecast

SEED = int(
    os.environ.get("FAULTS_SEED") or (random.SystemRandom().randrange(10_000) if FULL else 1)
)
IN_FLIGHT = 7 * 9


def test_a_seed_is_a_forecast():
    for seconds in (60, 600):
        first, second, other = forecast(7, seconds), forecast(7, seconds), forecast(8, seconds)
        assert first == second != other
        assert {gust.fault for gust in first} == set(FAULTS)


@in_full
async def test_a_storm(own_sites, report):
    seconds, count = sized(20, 600), sized(1500, 50_000)
    gusts = forecast(SEED, seconds)
    print(f"\nFAULTS_SEED={SEED}", *gusts, sep="\n")  # noqa: T201 - shown when it fails, and with -s
    async with own_sites(WORKER_CONCURRENCY="7", LEASE_S="10", WEBHOOK_TIMEOUT_S="5") as site:
        await site.product.api()
        for slot in (0, 1, 2):
            await site.product.worker(slot)
        idle = await levels(site.product)
        items = site.load.mixed(count, recipients=count // 2)
        for item in items[::20]:
            item["scheduled_at"] = (datetime.now(UTC) + timedelta(seconds=seconds / 2)).isoformat()
        storm = Storm(site)
        site.away_s = max(gust.for_s for gust in gusts)
        half = len(items) // 2
        await site.meanwhile(
            storm.rage(gusts),
            site.load.stream(items[:half], per_second=half / seconds, persist=True),
            spread(site, items[half:], seconds),
        )
        assert len(storm.happened) == len(gusts)
        ambiguous = sum(gust.fault == "receiver hangs up" for gust in gusts)
        crashes = sum(gust.fault in ("kill worker", "freeze worker") for gust in gusts)
        verdict = await judge(
            site,
            duplicates=crashes * IN_FLIGHT + ambiguous * count,
            failed=count // 100,
            counted_by_metric=False,
        )
        await calm_again(site.product, idle)
        report(
            f"a storm of {seconds:.0f} s with {len(gusts)} faults (seed {SEED})",
            "three workers, two API processes, half singles, half batches, every twentieth"
            " scheduled",
            verdict,
        )


async def spread(site, items, seconds):
    """Batches over the whole time."""
    size = max(len(items) // 30, 1)
    for at in range(0, len(items), size):
        await site.load.batch(items[at : at + size])
        await asyncio.sleep(seconds / 40)
