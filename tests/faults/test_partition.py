"""The network between a process and a service passes nothing for a while, and closes nothing.

Then it goes on.
"""

import asyncio
import time

import pytest

from tests.faults.oracle import judge
from tests.faults.partition import broker_with_a_line, lines_to
from tests.faults.site import site as started
from tests.faults.sizes import FULL, in_full, sized
from tests.services import topic_prefix
from tests.stack import until

RATE = 50
IN_FLIGHT = 7 * 9
"""Calls that one of these workers has in flight at most."""
SETTINGS = {
    "WORKER_CONCURRENCY": "7",
    **sized(
        {"LEASE_S": "8", "WEBHOOK_TIMEOUT_S": "4"}, {"LEASE_S": "30", "WEBHOOK_TIMEOUT_S": "10"}
    ),
}
BOTH = ("Kafka", "PostgreSQL")


@pytest.fixture(scope="module")
def kafka():
    with broker_with_a_line() as broker:
        yield broker


@pytest.fixture
async def lines(kafka, database_url):
    async with lines_to(kafka, database_url) as laid:
        yield laid


@pytest.fixture
def sites(kafka, database_url, tmp_path):
    return lambda: started(
        database_url=database_url,
        brokers=kafka.brokers,
        prefix=topic_prefix(),
        folder=tmp_path,
        **SETTINGS,
    )


async def is_unready(site, process):
    return await site.status(process, "/readyz") == 503


@pytest.mark.parametrize(
    ("services", "bound"),
    [
        pytest.param(("Kafka",), 0, id="kafka"),
        pytest.param(("PostgreSQL",), IN_FLIGHT, id="postgresql"),
        pytest.param(
            BOTH,
            IN_FLIGHT,
            id="both",
            marks=pytest.mark.skipif(not FULL, reason="both only in the full run"),
        ),
    ],
)
async def test_a_worker_is_cut_off_and_another_goes_on(sites, lines, report, services, bound):
    """Longer than its session with Kafka and than its leases: the other has all of its work when it
    comes back.
    """
    away_s = sized(13.0, 60.0)
    async with sites() as site:
        site.ledger.delay_s = 0.1
        cut = await site.product.worker(0, **lines.settings)
        other = await site.product.worker(1)
        again = []

        async def partition():
            await until(lambda: len(site.ledger.calls) > RATE, what="the load to flow")
            await until(
                lambda: site.product.metric(cut, "notistream_lane_in_flight"),
                what="calls of it in flight",
            )
            lines.cut(*services)
            at = time.monotonic()
            await until(lambda: is_unready(site, cut), what="the worker to say that it is cut off")
            assert await site.status(cut, "/livez") == 200
            await asyncio.sleep(max(at + away_s - time.monotonic(), 0))
            lines.mend()
            site.moment = time.time()
            await site.product.ready(cut)
            again.append(time.time() - site.moment)

        load = site.load.stream(
            site.load.mixed(int(RATE * (away_s + 8))), per_second=RATE, persist=True
        )
        await site.meanwhile(load, partition())
        assert all(lines.wires[service].kept_back for service in services)
        verdict = await judge(site, duplicates=bound)
        assert [p.alive for p in (cut, other)] == [True, True]
        report(
            f"the network between a worker and {' and '.join(services)} passes nothing for"
            f" {away_s:.0f} s",
            f"{RATE} requests/s, a second worker; ready again {again[0]:.1f} s after",
            verdict,
        )


@in_full
@pytest.mark.parametrize("service", BOTH)
async def test_the_api_is_cut_off(sites, lines, report, service):
    """Without Kafka it accepts as before.

    What it was asked without PostgreSQL is made once, however often asked.
    """
    away_s = sized(6.0, 40.0)
    async with sites() as site:
        (whole,) = site.alive("api")
        await site.product.api(**lines.settings)
        await site.product.worker()
        await site.kill(whole)

        async def partition():
            await until(lambda: len(site.ledger.calls) > RATE, what="the load to flow")
            lines.cut(service)
            await asyncio.sleep(away_s)
            lines.mend()
            site.moment = time.time()

        items = site.load.mixed(int(RATE * (away_s + 8)))
        await site.meanwhile(site.load.stream(items, per_second=RATE, persist=True), partition())
        assert lines.wires[service].kept_back
        if service == "Kafka":
            assert set(site.load.statuses) == {202}
        verdict = await judge(site, duplicates=0)
        assert verdict.messages == len(items) == len(site.load.accepted)
        slowest = max(answer.seconds for answer in site.load.answers)
        report(
            f"the network between the API and {service} passes nothing for {away_s:.0f} s",
            f"{RATE} requests/s, repeated until answered; slowest answer {slowest:.1f} s",
            verdict,
        )
