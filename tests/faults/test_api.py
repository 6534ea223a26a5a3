"""API processes that are killed and stopped while they accept."""

import asyncio
import signal

from tests.faults.oracle import judge
from tests.faults.sizes import in_full, sized
from tests.stack import messages, until


@in_full
async def test_the_api_killed_in_a_batch_of_a_thousand_keeps_all_of_it_or_nothing(sites, report):
    """Killed a little later each time, from before it has read the batch until after its answer."""
    kills, size = sized((3, 300), (10, 1000))
    async with sites() as site:
        await site.product.worker()
        for kill in range(kills):
            api = site.alive("api")[0]
            sending = asyncio.create_task(site.load.batch(messages(size, start=kill * size)))
            await asyncio.sleep(
                0.02 + 0.4 * kill / kills
            )  # where this hits is left to chance; what holds is not
            await site.kill(api)
            for batch in await site.query("SELECT total_count FROM batches"):
                assert batch["total_count"] == size
            (rows,) = await site.query("SELECT count(*) FROM notifications")
            assert rows[0] % size == 0
            await site.replace(api)
            await sending
        (rows,) = await site.query("SELECT count(*) FROM notifications")
        assert (
            rows[0] == kills * size == len(site.load.accepted)
        )  # asked for again under their keys, made once
        verdict = await judge(site, duplicates=0)
        report(
            f"kill -9 of the API, {kills} times",
            f"in batches of {size}, repeated by their client",
            verdict,
        )


async def test_an_api_process_stops_under_load_without_a_word_lost(sites, report):
    count = sized(300, 5000)
    async with sites() as site:
        await site.product.worker()
        other = await site.product.api()

        async def stop():
            await until(lambda: len(site.load.accepted) > count // 3, what="the load to flow")
            await site.kill(other, signal.SIGTERM, patience_s=15)

        await site.meanwhile(
            site.load.stream(site.load.mixed(count), per_second=100, persist=True), stop()
        )
        assert (
            site.load.statuses[0] <= 10
        )  # sent at the moment when an idle connection was closed, and sent again
        verdict = await judge(site, duplicates=0)
        assert verdict.messages == count
        report("SIGTERM of one of two API processes", "100 requests/s", verdict)
