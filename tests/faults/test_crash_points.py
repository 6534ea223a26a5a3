"""A process dies exactly between two steps of the protocol; the numbers are those of one message at a time."""

import pytest

from tests.faults.oracle import judge
from tests.faults.sizes import sized
from tests.stack import messages, until

ONE_AT_A_TIME = {"WORKER_CONCURRENCY": "1"}
API, WORKER = "api", "worker"


@pytest.mark.parametrize(("point", "role", "repeated", "counted"), [
    ("committed_not_produced", API, 0, 0),
    ("produced_not_marked", API, 0, 0),
    ("claimed_not_acknowledged", WORKER, 0, 1),
    ("claimed_not_sent", WORKER, 0, 1),
    ("sent_not_recorded", WORKER, 1, 1),
])
async def test_a_crash_between_two_steps(sites, report, tmp_path, point, role, repeated, counted):
    count = sized(20, 500)
    async with sites(**ONE_AT_A_TIME) as site:
        mark = tmp_path / "died"
        site.product.module = ("tests.faults.crash", point, str(count // 2 if role == WORKER else 1), str(mark))
        if role == API:
            whole = site.alive(API)[0]
            dying = await site.product.api()
            await site.kill(whole)
            await site.product.worker()
        else:
            dying = await site.product.worker()
        await site.meanwhile(site.load.batch(messages(count)), died(site, dying, mark))
        verdict = await judge(site, duplicates=repeated)
        assert (verdict.duplicates, verdict.counted) == (repeated, counted)
        report(f"the {role} dies: {point.replace('_', ' ')}", "one message at a time", verdict)


async def died(site, process, mark):
    await until(lambda: not process.alive, what="the process to die")
    assert mark.exists(), process.tail()
    await site.kill(process)
    await site.replace(process)
