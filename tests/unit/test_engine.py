"""The parts of the engine together: what is promised of outages, pauses, failover, rates and
priorities.
"""

import asyncio
import itertools
from collections import Counter

import pytest

from notistream.domain.notification import Priority, Status
from notistream.domain.outcome import Accepted, Ambiguous, Permanent, Temporary
from tests.core.small_engine import SmallEngine
from tests.core.virtual_time import virtual_time

OUTAGE = Temporary("HTTP 503")


def down(*providers, begin=0.0, end=float("inf"), result=OUTAGE):
    """These providers answer so in a span of time."""
    return lambda provider, at: (
        result if provider in providers and begin <= at < end else Accepted("m")
    )


def delivered(engine):
    return engine.statuses() == {Status.DELIVERED: len(engine.rows)}


@pytest.mark.parametrize("result", [OUTAGE, Ambiguous("timed out")])
@virtual_time
async def test_an_outage_of_fifteen_seconds_costs_time_and_no_message(result):
    engine = SmallEngine(answers=down("a", end=15, result=result))
    engine.submit(1000)
    took = await engine.drain(300)
    assert delivered(engine)
    assert took < 60
    assert engine.called(begin=1, end=15) <= 1
    assert len(engine.calls) <= 1000 + 2 * 64


@virtual_time
async def test_after_an_outage_of_ten_minutes_the_backlog_drains_at_full_speed():
    engine = SmallEngine(answers=down("a", begin=60, end=660))
    for _ in range(6):  # some traffic before
        engine.submit(10)
        await asyncio.sleep(10)
    engine.submit(1000)
    await asyncio.sleep(600)
    assert engine.called(begin=62, end=660) <= 25  # the probes
    took = await engine.drain(3600)
    assert delivered(engine)
    assert took < 660 + 90


@virtual_time
async def test_refusals_open_nothing():
    refused = iter([Permanent("HTTP 400")] * 5)
    engine = SmallEngine(answers=lambda provider, at: next(refused, Accepted("m")))
    engine.submit(1000)
    assert await engine.drain(60) < 10
    assert engine.statuses() == {Status.DELIVERED: 995, Status.FAILED: 5}


@virtual_time
async def test_one_in_ten_failing_does_not_slow_the_others_down():
    answered = itertools.count()
    engine = SmallEngine(
        answers=lambda provider, at: OUTAGE if next(answered) % 10 == 0 else Accepted("m")
    )
    engine.submit(1000, Priority.HIGH)
    took = await engine.drain(60)
    assert delivered(engine)
    assert took < 20


@virtual_time
async def test_a_pause_holds_back_and_leaves_nothing_behind():
    engine = SmallEngine(rate=20)
    engine.bench.pause("a")
    engine.submit(300)
    await asyncio.sleep(12)
    assert engine.calls == []
    engine.bench.channel.find("a").paused = None
    engine.bench.channel.changed()
    engine.resume()
    engine.submit(300)  # more than a lane can hold at this rate
    took = await engine.drain(3700)
    assert delivered(engine)
    assert took < 12 + 60


@pytest.mark.parametrize("rate", [0, 100])
@virtual_time
async def test_while_one_provider_is_down_another_takes_over(rate):
    engine = SmallEngine("ab", answers=down("a"), rate=rate, takes_s=0.05)
    engine.submit(300)
    took = await engine.drain(300)
    assert delivered(engine)
    assert engine.called("b") == 300
    assert (
        engine.called("a") <= 64 + 2 * took / 30
    )  # what was on its way when its breaker opened, and probes
    assert took < 15
    assert max(row.attempts for row in engine.rows.values()) <= 2


@virtual_time
async def test_a_failing_message_is_tried_once_by_each_provider_before_it_waits():
    sick = Temporary("HTTP 500")
    engine = SmallEngine("abc", answers=lambda provider, at: sick, rate=100)
    engine.submit(1)
    await engine.drain(60)
    assert engine.statuses() == {Status.FAILED: 1}
    assert [provider for _, provider, _ in engine.calls] == ["a", "b", "c", "a"]
    times = [at for at, _, _ in engine.calls]
    assert times[2] - times[0] < 1
    assert times[3] - times[2] > 1


@pytest.mark.parametrize("rate", [20, 100])
@virtual_time
async def test_the_rate_is_kept_and_used_whatever_the_lanes_do(rate):
    engine = SmallEngine(rate=rate)
    for priority in Priority:
        engine.submit(10 * rate, priority)
    took = await engine.drain(300)
    assert delivered(engine)
    per_slot = Counter(int((1000 + at) * 10 + 1e-6) for at, _, _ in engine.calls)
    assert max(per_slot.values()) <= rate / 10
    assert took < 30 * 1.2 + 5
    asked = len(engine.bench.slots.asked)
    assert (
        asked <= 30 * took
    )  # a slot has a tenth of a second: some questions for each, not one for each message


@virtual_time
async def test_a_backlog_of_low_does_not_delay_high_and_high_does_not_starve_the_others():
    engine = SmallEngine(rate=100)
    engine.submit(2000, Priority.LOW)
    await asyncio.sleep(2)
    engine.submit(100, Priority.HIGH)
    engine.submit(300, Priority.NORMAL)
    high = [row for row in engine.rows.values() if row.claimed.priority is Priority.HIGH]
    while any(row.status is not Status.DELIVERED for row in high):
        await asyncio.sleep(0.1)
    assert engine.at < 2 + 3
    await asyncio.sleep(5)
    by_priority = Counter(engine.rows[key].claimed.priority for _, _, key in engine.calls)
    assert by_priority[Priority.NORMAL] >= 250
    assert by_priority[Priority.LOW] >= 250


@virtual_time
async def test_every_lane_gets_its_share_while_all_have_more_than_the_rate():
    engine = SmallEngine(rate=50)
    for priority in Priority:
        engine.submit(2000, priority)
    await asyncio.sleep(20)
    by_priority = Counter(engine.rows[key].claimed.priority for _, _, key in engine.calls)
    assert by_priority[Priority.HIGH] > by_priority[Priority.NORMAL]
    assert by_priority[Priority.NORMAL] >= by_priority[Priority.LOW] >= 20


@virtual_time
async def test_order_per_recipient_while_nothing_fails():
    engine = SmallEngine()
    engine.submit(200, recipients=40)
    await engine.drain(60)
    assert delivered(engine)
    place = {key: n for n, key in enumerate(engine.rows)}
    seen = {}
    for _, _, key in engine.calls:
        recipient = engine.rows[key].key
        assert seen.get(recipient, -1) < place[key]
        seen[recipient] = place[key]


@virtual_time
async def test_a_hot_recipient_is_served_at_its_pace_and_others_are_not_delayed():
    engine = SmallEngine(takes_s=0.2)
    engine.submit(300, recipients=1)
    await asyncio.sleep(1)
    before = len(engine.rows)
    engine.submit(100)
    others = list(engine.rows.values())[before:]
    while any(row.status is not Status.DELIVERED for row in others):
        await asyncio.sleep(0.1)
    assert engine.at < 1 + 2
    took = await engine.drain(600)
    assert took < 300 * 0.2 * 1.6


@virtual_time
async def test_a_rebalance_loses_nothing_and_delivers_nothing_twice():
    engine = SmallEngine(answers=down("a", begin=3, end=20), limit=16)
    engine.submit(1000, recipients=200)
    for _ in range(20):
        await asyncio.sleep(1.3)
        await engine.rebalance()
    await engine.drain(600)
    assert delivered(engine)
    once = [key for at, _, key in engine.calls if not 3 <= at + engine.takes_s < 20]
    assert len(once) == len(set(once)) == 1000
    assert engine.unsettled == {}
