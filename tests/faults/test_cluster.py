"""Three brokers, three replicas of every topic, of which two have to take a record."""

import asyncio
import time
from itertools import pairwise

import pytest

from tests.faults.cluster import three_brokers
from tests.faults.oracle import judge
from tests.faults.site import site as started
from tests.faults.sizes import FULL, sized
from tests.services import topic_prefix
from tests.stack import until

pytestmark = pytest.mark.skipif(not FULL, reason="three brokers only in the full run")


async def test_a_leader_dies_and_then_a_second_broker(endpoints, database_url, tmp_path, report):
    rate, away_s = 50, sized(10.0, 20.0)
    prefix = topic_prefix()
    with three_brokers() as cluster:
        async with started(
            database_url=database_url,
            brokers=cluster.brokers,
            prefix=prefix,
            folder=tmp_path,
            TOPIC_REPLICATION="3",
            TOPIC_PARTITIONS="2",
        ) as site:
            await site.product.worker(0)
            await site.product.worker(1)
            gaps = []

            async def faults():
                await until(lambda: len(site.ledger.calls) > rate, what="the load to flow")
                leader = await cluster.leader(f"{prefix}.sms.normal")
                await asyncio.to_thread(cluster.nodes[leader].kill)
                at = time.time()
                await asyncio.sleep(away_s)
                gaps.append(longest_gap(site, at))
                second = await cluster.leader(f"{prefix}.sms.normal")
                await asyncio.to_thread(cluster.nodes[second].kill)
                await asyncio.sleep(away_s)
                (waiting,) = await site.query("SELECT count(*) FROM outbox")
                assert waiting[0] > 0
                await asyncio.gather(
                    *(asyncio.to_thread(cluster.nodes[node].start) for node in (leader, second))
                )
                site.moment = time.time()

            load = site.load.stream(
                site.load.mixed(int(rate * (2 * away_s + 10))), per_second=rate, persist=True
            )
            await site.meanwhile(load, faults())
            assert site.load.statuses[202] >= 0.95 * len(site.load.answers)
            verdict = await judge(site, duplicates=0)
            report(
                "kill -9 of a leader of three brokers, then of a second",
                f"{rate} requests/s; longest gap without the leader {gaps[0]:.1f} s",
                verdict,
            )


def longest_gap(site, since):
    """The longest time without a delivery."""
    moments = [
        since,
        *(call["at"] for call in site.ledger.calls if call["at"] > since),
        time.time(),
    ]
    return max(later - earlier for earlier, later in pairwise(moments))
