"""Kafka and PostgreSQL that crash under load and come back."""

import asyncio
import signal
import time

from tests.faults.oracle import judge
from tests.faults.sizes import in_full, sized
from tests.stack import until


@in_full
async def test_kafka_crashes_under_load_and_workers_start_without_it(own_sites, report):
    away_s, rate = sized((4, 25), (60, 50))
    async with own_sites() as site:
        await site.product.worker(0)
        kafka = site.services.kafka

        async def outage():
            await until(lambda: len(site.ledger.calls) > rate, what="the load to flow")
            await asyncio.to_thread(kafka.kill)
            early = await site.product.worker(1, wait=False)
            await asyncio.sleep(away_s)
            assert early.alive, early.tail()
            await asyncio.to_thread(kafka.start)
            site.moment = time.time()
            await site.product.ready(early)

        load = site.load.stream(
            site.load.mixed(int(rate * (away_s + 6))), per_second=rate, persist=True
        )
        await site.meanwhile(load, outage())
        assert site.load.statuses[202] >= 0.95 * len(
            site.load.answers
        )  # all, where the machine has time for us
        verdict = await judge(site, duplicates=0)
        report(
            f"kill -9 of the broker for {away_s} s; a worker started meanwhile",
            f"{rate} requests/s, p99 {site.load.slowest(0.99) * 1000:.0f} ms",
            verdict,
        )


async def test_postgresql_crashes_under_load(own_sites, report):
    away_s, rate = sized((3, 25), (10, 50))
    async with own_sites() as site:
        await site.product.worker()
        workers = site.alive("worker")
        postgres = site.services.postgres

        async def outage():
            await until(lambda: len(site.ledger.calls) > rate, what="the load to flow")
            await asyncio.to_thread(postgres.stop, "immediate")
            await asyncio.sleep(away_s)
            await asyncio.to_thread(postgres.start)
            site.moment = time.time()

        load = site.load.stream(site.load.mixed(int(rate * (away_s + 8))), per_second=rate)
        await site.meanwhile(load, outage())
        refused = [answer for answer in site.load.answers if answer.status != 202]
        assert refused
        assert {answer.status for answer in refused} == {503}
        assert all(int(answer.headers["Retry-After"]) >= 1 for answer in refused)
        verdict = await judge(site, duplicates=0)
        assert site.alive("worker") == workers
        answered = max(answer.seconds for answer in refused)
        report(
            f"PostgreSQL stopped at once (`immediate`) for {away_s} s",
            f"{rate} requests/s, {len(refused)} × 503 within {answered:.1f} s",
            verdict,
        )


async def test_a_worker_stops_although_kafka_is_away(own_sites):
    async with own_sites(LEASE_S="10", WEBHOOK_TIMEOUT_S="5") as site:
        worker = await site.product.worker()
        await site.load.stream(site.load.mixed(20), per_second=20)
        await until(lambda: len(site.ledger.calls) >= 20, what="everything to be delivered")
        await asyncio.to_thread(site.services.kafka.kill)
        await site.kill(worker, signal.SIGTERM)  # waits for its end
        await asyncio.to_thread(site.services.kafka.start)
        await site.product.again(worker)
        assert site.ledger.duplicates == 0
