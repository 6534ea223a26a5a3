"""A process dies exactly between two steps of the protocol.

The numbers are those of one message at a time.
"""

import signal

import pytest

from tests.faults.oracle import judge
from tests.faults.sizes import sized
from tests.stack import messages, until

ONE_AT_A_TIME = {"WORKER_CONCURRENCY": "1"}
API, WORKER = "api", "worker"


@pytest.mark.parametrize(
    ("point", "role", "repeated", "counted"),
    [
        ("committed_not_produced", API, 0, 0),
        ("produced_not_marked", API, 0, 0),
        ("claimed_not_acknowledged", WORKER, 0, 1),
        ("claimed_not_sent", WORKER, 0, 1),
        ("sent_not_recorded", WORKER, 1, 1),
    ],
)
async def test_a_crash_between_two_steps(sites, report, point, role, repeated, counted):
    count = sized(20, 500)
    async with sites(**ONE_AT_A_TIME) as site:
        (whole,) = site.alive(API)
        if role == API:
            await site.product.worker()
        nth = 1 if role == API else count // 2
        with site.product_of("tests.faults.crash", point, str(nth)):
            dying = await (site.product.api() if role == API else site.product.worker())
        if role == API:
            await site.kill(whole)
        await site.meanwhile(site.load.batch(messages(count)), died(site, dying))
        verdict = await judge(site, duplicates=repeated)
        assert (verdict.duplicates, verdict.counted) == (repeated, counted)
        report(f"the {role} dies: {point.replace('_', ' ')}", "one message at a time", verdict)


async def died(site, process):
    await until(lambda: not process.alive, what="the process to die")
    assert process.child.returncode == -signal.SIGKILL, process.tail()
    await site.replace(process)
