"""Lanes: bounds, order, parking, release, and PostgreSQL away."""

import asyncio

import pytest

from notistream.delivery.lanes import LONGEST_WAIT_S, WAITING_PER_RECIPIENT
from tests.core.lane_bench import LaneBench, settle
from tests.core.virtual_time import now, virtual_time


@virtual_time
async def test_at_most_limit_in_flight_and_records_settle_at_the_claim():
    bench = LaneBench(limit=4)
    await bench.put_all(range(6))
    assert sorted(bench.running) == bench.settled == [0, 1, 2, 3]
    await bench.end(2)
    assert sorted(bench.running) == [0, 1, 3, 4]
    assert (bench.lane.in_flight, bench.lane.waiting, bench.door.open) == (4, 1, 4)


@virtual_time
async def test_one_recipient_is_served_in_order_and_never_twice_at_once():
    bench = LaneBench()
    await bench.put_all(range(4), b"same")
    await bench.put_all([9], b"other")
    assert sorted(bench.running) == [0, 9]
    for seq in range(4):
        await bench.end(seq)
    assert [s for s in bench.finished if s != 9] == [0, 1, 2, 3]


@virtual_time
async def test_too_many_of_one_recipient_are_parked_and_their_records_settle():
    bench = LaneBench()
    await bench.put_all(range(WAITING_PER_RECIPIENT + 3), b"same")
    assert list(bench.ledger.parked) == [8, 9, 10]
    assert {parking.gate for parking in bench.ledger.parked.values()} == {"lane"}
    assert bench.ledger.parked[8].reason == "8 earlier messages to this recipient are waiting"
    assert set(bench.settled) == {0, 8, 9, 10}


@virtual_time
async def test_parked_turns_of_one_recipient_come_back_one_after_the_other():
    bench = LaneBench(limit=20)
    await bench.put_all(range(WAITING_PER_RECIPIENT + 6), b"same")
    delays = [parking.delay_s for parking in bench.ledger.parked.values()]
    assert delays == sorted(set(delays))
    assert len(delays) == 6
    await bench.put_all([99], b"other")
    assert 99 in bench.running


@virtual_time
async def test_waiting_too_long_is_parked_and_frees_the_lane():
    bench = LaneBench(limit=1)
    await bench.put_all(range(3))
    await asyncio.sleep(LONGEST_WAIT_S - 0.1)
    bench.lane.park_overdue()
    assert bench.lane.waiting == 2
    await asyncio.sleep(1)
    bench.lane.park_overdue()
    await settle()
    assert list(bench.ledger.parked) == bench.settled[1:] == [1, 2]
    assert bench.ledger.parked[1].reason == "the sms.high lane was busy for 5 s"
    assert bench.lane.waiting == 0
    await bench.end(0)
    await bench.put_all([1])  # the recipient of a parked turn is not blocked
    assert sorted(bench.running) == [1]


@virtual_time
async def test_behind_an_overdue_one_of_the_same_recipient_the_younger_one_is_next():
    bench = LaneBench(limit=1)
    await bench.put_all([0])
    await bench.put_all([1], b"same")
    await asyncio.sleep(4)
    await bench.put_all([2], b"same")
    await asyncio.sleep(2)
    bench.lane.park_overdue()
    await settle()
    assert (list(bench.ledger.parked), bench.lane.waiting) == ([1], 1)
    await bench.end(0)
    assert sorted(bench.running) == [2]


@virtual_time
async def test_who_became_ready_late_does_not_hide_behind_younger_ones():
    bench = LaneBench(limit=2)
    await bench.put_all([0])
    await bench.put_all([1], b"same")
    await bench.put_all([2], b"same")  # waits for 1
    await asyncio.sleep(4)
    await bench.put_all([3, 4])
    await bench.end(1)
    assert sorted(bench.running) == [0, 3]
    await asyncio.sleep(LONGEST_WAIT_S - 3.5)
    bench.lane.park_overdue()
    await settle()
    assert list(bench.ledger.parked) == [2]


@virtual_time
async def test_a_full_lane_makes_the_agent_wait_and_takes_it_up_again():
    bench = LaneBench(limit=1)
    puts = await bench.put_all(range(6))
    assert [put.done() for put in puts] == [True] * 3 + [False] * 3
    await bench.end(0)
    assert [put.done() for put in puts].count(True) == 4


@virtual_time
async def test_release_ends_every_wait_and_claims_nothing_more():
    bench = LaneBench(limit=1)
    puts = await bench.put_all(range(8))
    bench.lane.release()
    await settle()
    assert [put.result() for put in puts] == [True] * 3 + [False] * 5
    assert (bench.lane.waiting, bench.lane.is_open) == (0, False)
    assert await bench.put(99) is False
    await bench.end(0)  # what was claimed finishes
    assert bench.finished == bench.ledger.claimed == [0]
    bench.lane.resume()
    await bench.put_all([0])
    assert sorted(bench.running) == [0]


@virtual_time
async def test_after_a_release_a_recipient_still_waits_for_its_claimed_one():
    bench = LaneBench()
    await bench.put_all(range(3), b"same")
    bench.lane.release()
    bench.lane.resume()
    await bench.put_all([1, 2], b"same")
    assert sorted(bench.running) == [0]
    await bench.end(0)
    await bench.end(1)
    await bench.end(2)
    assert bench.finished == [0, 1, 2]
    assert not bench.lane._behind


@virtual_time
async def test_a_put_that_waited_over_a_release_and_a_resume_is_let_go():
    bench = LaneBench(limit=1)
    puts = await bench.put_all(range(4))
    bench.lane.release()
    bench.lane.resume()
    await settle()
    assert puts[3].result() is False
    assert (bench.lane.waiting, bench.ledger.claimed) == (0, [0])


@virtual_time
async def test_what_is_being_claimed_at_a_release_is_delivered_and_settles_nothing():
    bench, gate = LaneBench(), asyncio.Event()
    claim = bench.ledger.claim

    async def slow(turn):
        await gate.wait()
        return await claim(turn)

    bench.ledger.claim = slow
    await bench.put_all([0])
    bench.lane.release()
    gate.set()
    await settle()
    assert (sorted(bench.running), bench.settled) == (
        [0],
        [],
    )  # its record belongs to whoever has the partition now


@virtual_time
async def test_a_stale_turn_settles_and_lets_the_next_of_its_recipient_go():
    bench = LaneBench()
    bench.ledger.stale = {0, 1}
    await bench.put_all(range(3), b"same")
    assert (bench.settled, sorted(bench.running)) == ([0, 1, 2], [2])


@virtual_time
async def test_a_delivery_that_raises_frees_its_place_and_its_recipient():
    bench = LaneBench(limit=1)

    async def defective(claimed, permit, origin):
        raise KeyError("oops")

    bench.lane._deliver = defective
    await bench.put_all(range(3), b"same")
    assert bench.settled == [0, 1, 2]
    assert (bench.lane.in_flight, bench.lane.waiting, bench.door.open) == (0, 0, 0)


@virtual_time
async def test_without_postgresql_nothing_is_settled_and_release_ends_the_wait():
    bench = LaneBench()
    bench.down()
    await bench.put_all([1])
    await bench.put_all(range(10, 20), b"same")  # of these some are to be parked
    assert bench.settled == []
    bench.lane.release()
    started = now()
    await bench.lane.drain(patience_s=60)
    assert (bench.settled, bench.lane.in_flight, bench.door.open) == ([], 0, 0)
    assert now() - started < 1


@pytest.mark.parametrize("error", [None, ValueError("a defect")])
@virtual_time
async def test_a_step_that_fails_is_tried_again_and_settles_nothing_until_it_works(error):
    bench = LaneBench()
    bench.down()
    bench.ledger.error = error or bench.ledger.error
    await bench.put_all([1])
    await asyncio.sleep(30)
    assert (bench.settled, bench.lane.in_flight) == ([], 1)
    bench.ledger.error = None
    await asyncio.sleep(6)
    assert bench.settled == [1]
    await bench.end(1)
    assert bench.finished == [1]


@virtual_time
async def test_parking_is_bounded_while_postgresql_is_away():
    bench = LaneBench(limit=4)
    bench.down()
    puts = await bench.put_all(range(200), b"same")
    assert sum(put.done() for put in puts) <= 2 * 4 + WAITING_PER_RECIPIENT
    bench.lane.release()
    await bench.lane.drain(patience_s=60)
    assert bench.lane._parking == set()


@virtual_time
async def test_draining_has_an_end():
    bench = LaneBench()
    await bench.put_all([1])
    started = now()
    await bench.lane.drain(patience_s=5)
    assert (bench.lane.in_flight, now() - started) == (1, pytest.approx(5, abs=0.01))
    await bench.end(1)


@virtual_time
async def test_nothing_is_remembered_of_what_has_gone_through():
    bench = LaneBench(limit=16, takes_s=0.01)
    for seq in range(300):
        await bench.put(seq, b"r%d" % (seq % 70))
    await bench.put_all(range(300, 330), b"same")
    await asyncio.sleep(0.3)
    assert bench.lane._parked_until
    for _ in range(30):
        await asyncio.sleep(1)
        bench.lane.park_overdue()
    lane = bench.lane
    kept = (lane._behind, lane._ready, lane._running, lane._parking, lane._parked_until)
    assert [len(each) for each in kept] == [0] * 5
    assert (lane.waiting, bench.door.open) == (0, 0)
