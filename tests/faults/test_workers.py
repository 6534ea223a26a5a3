"""Workers that are killed, stopped, frozen, added and taken away while they deliver."""

import asyncio
import signal
import time

from notistream.domain.notification import CHANNELS
from notistream.kafka.topic_names import retry_topic
from notistream.publishing.windows import FIRST_WINDOW
from tests.faults.kafka import acknowledged
from tests.faults.oracle import judge, quiet
from tests.faults.sizes import in_full, sized
from tests.stack import messages, until

IN_FLIGHT = {"WORKER_CONCURRENCY": "7"}
LANES = 9
BOUND = 7 * LANES
"""Calls that one of these workers has in flight at most: so many may be repeated after a kill."""
EXIT_S = 15.0
LATER_S = 45.0
"""Long enough for all to wait at once, short enough for timers, which take what is due within a
minute.
"""
LEASES = sized(
    {"LEASE_S": "8", "WEBHOOK_TIMEOUT_S": "4"}, {"LEASE_S": "30", "WEBHOOK_TIMEOUT_S": "10"}
)


async def delivered(site, count):
    await until(lambda: len(site.ledger.accepted) >= count, what=f"{count} deliveries")


@in_full
async def test_workers_killed_at_a_third_two_thirds_and_near_the_end(sites, report):
    count = sized(900, 10_000)
    async with sites(**IN_FLIGHT) as site:
        site.ledger.slow = lambda _: site.load.random.uniform(0.02, 0.05)
        await site.product.worker(0)
        await site.product.worker(1)
        await site.load.in_batches(site.load.mixed(count, recipients=count // 4))
        for victim, share in enumerate((0.3, 0.6, 0.9)):
            await delivered(site, share * count)
            process = site.alive("worker")[victim % 2]
            await site.kill(process)
            await site.replace(process)
        # What is beyond a lane's window is held back, and a killed worker may have let some of it
        # go: decision 15.
        verdict = await judge(site, duplicates=3 * BOUND, ordered=count <= FIRST_WINDOW)
        report(
            "kill -9 of a worker, three times", "backlog, two workers, calls of 20–50 ms", verdict
        )


async def test_workers_stopped_under_full_load_send_nothing_twice(sites, report):
    count, stops = sized((800, 2), (2500, 8))
    async with sites() as site:
        site.ledger.delay_s = 0.05
        worker = await site.product.worker()
        await site.load.in_batches(site.load.mixed(count))
        for stop in range(stops):
            await delivered(
                site, min(len(site.ledger.accepted) + 100, count * (stop + 1) / (stops + 2))
            )
            assert await site.kill(worker, signal.SIGTERM, patience_s=EXIT_S) < EXIT_S
            assert site.ledger.in_flight == 0
            worker = await site.replace(worker)
        verdict = await judge(site, duplicates=0, ordered=True)
        assert verdict.counted == 0
        report(
            f"SIGTERM of the worker, {stops} times",
            "backlog, calls of 50 ms, every lane full",
            verdict,
        )


@in_full
async def test_workers_come_and_go(sites, report):
    cycles, rate = sized(1, 3), sized(50, 300)
    async with sites(**IN_FLIGHT) as site:
        site.ledger.delay_s = 0.1
        await site.product.worker(0)
        for _ in range(cycles):
            for sig, bound in ((signal.SIGTERM, 0), (signal.SIGKILL, BOUND)):
                before, left = site.ledger.duplicates, asyncio.Event()
                await site.meanwhile(flow(site, rate, left), visit(site, sig, left))
                await quiet(site)
                assert site.ledger.duplicates - before <= bound
        verdict = await judge(site, duplicates=cycles * BOUND)
        report(
            "a worker added, stopped, added, killed", f"{cycles} cycles, {rate} messages/s", verdict
        )


async def flow(site, rate, end):
    """So many messages a second, until the end and a little longer."""
    while not end.is_set():
        await site.load.batch(site.load.mixed(rate // 10))
        await asyncio.sleep(0.1)
    await site.load.batch(site.load.mixed(rate))


async def visit(site, sig, left):
    """A second worker comes, works, and is taken away."""
    guest = await site.product.worker(1)
    await until(
        lambda: site.product.metric(guest, "notistream_lane_in_flight"),
        what="calls of the guest in flight",
    )
    await site.kill(guest, sig, patience_s=EXIT_S)
    left.set()


async def test_a_frozen_worker_comes_back_after_its_leases_have_ended(sites, report):
    """When it goes on, the other has claimed what was its own, and none of its outcomes counts any
    more.
    """
    count = sized(150, 1000)
    async with sites(**IN_FLIGHT, **LEASES) as site:
        frozen = await site.product.worker(0)
        site.ledger.hold()
        await site.load.in_batches(site.load.mixed(count))
        await until(lambda: site.ledger.held > 10, what="calls of the worker in flight")
        frozen.child.send_signal(signal.SIGSTOP)
        await site.product.worker(1, wait=False)
        site.ledger.release()
        await until(lambda: site.ledger.held == 0, what="its calls to be answered")
        site.ledger.hold(lambda call: site.ledger.accepted[call["key"]] > 1)
        await until(
            lambda: site.ledger.held > 0,
            what="the other to send again what the frozen one sent",
            patience_s=180,
        )
        frozen.child.send_signal(signal.SIGCONT)
        site.moment = time.time()
        await until(lambda: late(site, frozen), what="the outcomes that came too late")
        site.ledger.release()
        verdict = await judge(site, duplicates=BOUND)
        assert await late(site, frozen) == await ended_leases(site)
        report(
            "SIGSTOP of a worker for longer than its leases",
            "calls in flight, a second worker",
            verdict,
        )


async def ended_leases(site):
    (row,) = await site.query(
        "SELECT count(*) FROM attempts WHERE error = 'the worker never said how the call ended'"
    )
    return row[0]


async def late(site, process):
    return await site.product.metric(process, "notistream_finished_late_total")


async def test_what_waits_behind_a_hanging_call_survives_a_kill(sites, report):
    """Later records are settled before an earlier one: were they acknowledged, the earlier one
    would be lost.
    """
    async with sites(WEBHOOK_TIMEOUT_S="15") as site:
        worker = await site.product.worker()
        site.ledger.hold(lambda call: call["to"] == "+905000000000")
        await site.load.batch(messages(1))
        await until(lambda: site.ledger.held == 1, what="the first call to hang")
        await until(lambda: settled(site, 1, "sms.normal"), what="its record to be acknowledged")
        await site.load.batch([*messages(1), *messages(100, start=1)])
        await delivered(site, 101)
        await site.load.batch(
            [{"channel": "email", "recipient": "u@example.com", "content": "the next commit"}]
        )
        await until(lambda: settled(site, 1, "email.normal"), what="the e-mail to be acknowledged")
        await site.kill(worker)
        site.ledger.release()
        await site.replace(worker)
        verdict = await judge(site, duplicates=2)
        report(
            "kill -9 while a record waits behind a hanging call",
            "later records all delivered",
            verdict,
        )


async def settled(site, count, *topics):
    return await acknowledged(site.brokers, site.prefix, topics) == count


async def test_retries_that_wait_survive_a_kill(sites, report):
    """The timers die with the worker, and their records are acknowledged: the scheduler finds what
    is due.
    """
    count = sized(200, 2000)
    async with sites(BREAKER_FAILURES="1000") as site:
        seen = set()

        def first_fails(call):
            known = call["key"] in seen
            seen.add(call["key"])
            return (202, {}) if known else (503, {"Retry-After": f"{LATER_S:.0f}"})

        site.ledger.answer = first_fails
        worker = await site.product.worker()
        await site.load.in_batches(site.load.mixed(count))
        await until(
            lambda: settled(site, count, *map(retry_topic, CHANNELS)),
            what="every timer's record to be acknowledged",
        )
        await site.kill(worker)
        await site.query(
            "UPDATE notifications SET due_at = due_at - $1 * interval '1 s'", 2 * LATER_S
        )
        await site.replace(worker)
        verdict = await judge(site, duplicates=0)
        report(
            "kill -9 while everything waits for its retry",
            "each first call answered with 503",
            verdict,
        )
