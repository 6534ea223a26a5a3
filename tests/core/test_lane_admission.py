"""A lane before a blocked door: nothing is claimed, nobody waits for long, and what is parked comes
back in time.
"""

import asyncio

import pytest

from notistream.delivery.lanes import LONGEST_WAIT_S, PARK_S
from notistream.delivery.ports import Blocked
from tests.core.lane_bench import LaneBench, settle
from tests.core.virtual_time import now, virtual_time

OPEN = Blocked("breaker", "the breaker of webhook is open: HTTP 503", 30.0)
PAUSED = Blocked("pause", "paused: sms", 3600.0)
USED_UP = Blocked("bucket", "the rate of webhook is used up", 0.1)


async def overdue(bench, seconds=LONGEST_WAIT_S + 1):
    await asyncio.sleep(seconds)
    bench.lane.park_overdue()
    await settle()


def delays(bench):
    return [parking.delay_s for parking in bench.ledger.parked.values()]


@virtual_time
async def test_nothing_is_claimed_while_the_door_is_blocked():
    bench = LaneBench()
    bench.door.change(OPEN)
    await bench.put_all(range(3))
    await asyncio.sleep(LONGEST_WAIT_S - 0.1)
    bench.lane.park_overdue()
    assert (bench.ledger.claimed, bench.settled, bench.lane.waiting, bench.lane.in_flight) == (
        [],
        [],
        3,
        0,
    )


@virtual_time
async def test_it_goes_on_in_order_when_the_door_calls_back():
    bench = LaneBench(limit=2)
    bench.door.change(OPEN)
    await bench.put_all(range(4))
    bench.door.change()
    await settle()
    assert (sorted(bench.running), bench.door.open) == ([0, 1], 2)
    await bench.end(0, 1)
    assert bench.ledger.claimed == [0, 1, 2, 3]


@virtual_time
async def test_what_is_claimed_is_not_affected():
    bench = LaneBench()
    await bench.put_all([0])
    bench.door.change(OPEN)
    await bench.put_all([1])
    await bench.end(0)
    assert (bench.finished, bench.ledger.claimed, bench.lane.waiting) == ([0], [0], 1)


@virtual_time
async def test_the_door_hears_for_how_many_it_is_asked():
    bench = LaneBench(limit=4)
    bench.door.change(OPEN)
    await bench.put_all(range(7))
    bench.door.wanted.clear()
    bench.door.change()
    assert bench.door.wanted == [4, 3, 2, 1]


@pytest.mark.parametrize("blocked", [OPEN, PAUSED, USED_UP])
@virtual_time
async def test_after_five_seconds_it_is_parked_with_the_doors_reason_and_for_as_long_as_it_says(
    blocked,
):
    bench = LaneBench(limit=8)
    bench.door.change(blocked)
    await bench.put_all(range(16))
    await overdue(bench)
    assert {(p.gate, p.reason) for p in bench.ledger.parked.values()} == {
        (blocked.gate, blocked.reason)
    }
    assert list(bench.ledger.parked) == list(range(16))
    assert delays(bench)[0] == pytest.approx(max(blocked.for_s, PARK_S), abs=0.1)
    assert delays(bench) == sorted(set(delays(bench)))  # one after the other, not all at once
    assert (bench.ledger.claimed, bench.lane.waiting, sorted(bench.settled)) == (
        [],
        0,
        list(range(16)),
    )


@virtual_time
async def test_those_behind_another_of_their_recipient_are_parked_too():
    bench = LaneBench(limit=8)
    bench.door.change(OPEN)
    await bench.put_all(range(5), b"same")
    await overdue(bench)
    assert sorted(bench.ledger.parked) == list(range(5))
    assert (bench.lane.waiting, bench.lane._behind) == (0, {})


@virtual_time
async def test_a_release_ends_the_wait_at_once():
    bench = LaneBench(limit=1)
    bench.door.change(OPEN)
    puts = await bench.put_all(range(5))
    assert [put.done() for put in puts] == [True, True, False, False, False]
    bench.lane.release()
    await settle()
    assert [put.result() for put in puts] == [True, True, False, False, False]
    bench.door.change()
    await overdue(bench)
    assert (bench.ledger.claimed, bench.ledger.parked, bench.settled, bench.lane.waiting) == (
        [],
        {},
        [],
        0,
    )


@virtual_time
async def test_the_permit_is_closed_whatever_comes_of_the_turn():
    bench = LaneBench(limit=8)
    bench.ledger.stale = {0, 1}
    await bench.put_all(range(3))
    assert (sorted(bench.running), bench.door.open) == ([2], 1)
    await bench.end(2)
    assert bench.door.open == 0
    bench.down()
    await bench.put_all([3])
    assert bench.door.open == 1  # claiming, as long as PostgreSQL is away
    bench.lane.release()
    await asyncio.sleep(1)
    assert (bench.door.open, bench.settled) == (0, [0, 1, 2])


@virtual_time
async def test_a_busy_lane_spreads_what_it_parks_at_the_pace_at_which_it_delivers():
    bench = LaneBench(limit=4, takes_s=0.1)
    for seq in range(200):
        await bench.put(seq)
    bench.door.change(OPEN)
    await overdue(bench)
    spread = max(delays(bench)) - min(delays(bench))
    assert len(delays(bench)) >= 4
    assert spread / (len(delays(bench)) - 1) == pytest.approx(0.1 / 4, rel=0.5)


async def quiet(bench):
    """Now and then a message, for a while: the lane has nothing to do in between."""
    for seq in range(100):
        await bench.put(1000 + seq)
        await asyncio.sleep(10)


async def probes(bench):
    """An outage: every thirty seconds one is let through."""
    for seq in range(30):
        bench.door.change()
        await bench.put(1000 + seq)
        bench.door.change(OPEN)
        await asyncio.sleep(30)


@pytest.mark.parametrize("before", [quiet, probes])
@virtual_time
async def test_a_lane_that_had_little_to_do_is_not_taken_for_a_slow_one(before):
    bench = LaneBench(limit=64, takes_s=0.01)
    await before(bench)
    bench.door.change(OPEN)
    await bench.put_all(range(128))
    await overdue(bench)
    assert len(delays(bench)) == 128
    assert max(delays(bench)) < OPEN.for_s + 30


@pytest.mark.parametrize("long", [OPEN, PAUSED])
@virtual_time
async def test_who_is_parked_later_does_not_inherit_a_wait_that_is_over(long):
    bench = LaneBench(limit=4, takes_s=0.01)
    bench.door.change(long)
    await bench.put_all(range(8))
    await overdue(bench)
    bench.door.change()  # the operator resumed, or the provider is back
    await bench.put_all(range(10, 14))
    bench.door.change(USED_UP)
    await bench.put_all(range(20, 24))
    await overdue(bench)
    assert max(bench.ledger.parked[seq].delay_s for seq in range(20, 24)) < PARK_S + 5


@virtual_time
async def test_a_defect_behind_the_door_reaches_no_agent_and_is_tried_again():
    bench = LaneBench(limit=4, takes_s=0.01)
    admit = bench.door.admit

    def broken(_wanted):
        raise AttributeError("when")

    bench.door.admit = broken
    puts = await bench.put_all(range(4))
    assert all(put.done() and put.exception() is None for put in puts)
    assert bench.lane.waiting == 4
    bench.door.admit = admit
    bench.lane.park_overdue()
    await asyncio.sleep(1)
    assert bench.lane.waiting == 0


@virtual_time
async def test_a_blocked_lane_lets_a_backlog_through_to_its_parking_place_and_is_not_stuck():
    bench = LaneBench(limit=8)
    bench.door.change(OPEN)
    puts = await bench.put_all(range(100))
    started = now()
    while not all(put.done() for put in puts):
        await overdue(bench, 1.0)
        assert bench.lane.waiting <= 16
    assert now() - started < 60
