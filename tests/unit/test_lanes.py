"""Lanes: bounds, order per recipient, parking, release."""

import asyncio
from uuid import uuid4

from notistream.delivery.lanes import HELD_FOR_S, HELD_PER_RECIPIENT, Held, Lane
from notistream.delivery.ports import Turn
from notistream.errors import DatabaseUnavailable


class Ledger:
    """Claims everything, in memory; can be down."""

    def __init__(self):
        self.down = False
        self.claimed = []
        self.parked = []
        self.delays = []

    async def claim(self, turn):
        if self.down:
            raise DatabaseUnavailable
        self.claimed.append(turn.seq)
        return turn

    async def park(self, parking):
        if self.down:
            raise DatabaseUnavailable
        self.parked.append(parking.turn.seq)
        self.delays.append(parking.delay_s)

    async def finish(self, claimed, end):
        raise AssertionError


class Bench:
    """A lane with a provider whose calls end when the test says so."""

    def __init__(self, limit=4):
        self.now = 0.0
        self.ledger = Ledger()
        self.settled = []
        self.running = {}
        self.finished = []
        self.lane = Lane(
            name="sms.high", limit=limit, ledger=self.ledger, deliver=self.deliver, clock=lambda: self.now)

    async def deliver(self, turn):
        self.running[turn.seq] = asyncio.Event()
        await self.running[turn.seq].wait()
        del self.running[turn.seq]
        self.finished.append(turn.seq)

    def put(self, seq, key=None):
        key = key or f"r{seq}".encode()
        return asyncio.create_task(self.lane.put(Held(Turn(uuid4(), seq), key, lambda: self.settled.append(seq))))

    async def end(self, seq):
        self.running[seq].set()
        await settle()


async def settle():
    for _ in range(20):
        await asyncio.sleep(0)


async def test_at_most_limit_in_flight_and_records_settle_at_the_claim():
    bench = Bench(limit=4)
    for seq in range(6):
        bench.put(seq)
    await settle()
    assert sorted(bench.running) == bench.settled == [0, 1, 2, 3]
    await bench.end(2)
    assert sorted(bench.running) == [0, 1, 3, 4]
    assert bench.lane.in_flight == 4


async def test_one_recipient_is_served_in_order_and_never_twice_at_once():
    bench = Bench()
    for seq in range(4):
        bench.put(seq, b"same")
    bench.put(9, b"other")
    await settle()
    assert sorted(bench.running) == [0, 9]
    for seq in range(4):
        await bench.end(seq)
    assert [s for s in bench.finished if s != 9] == [0, 1, 2, 3]


async def test_too_many_of_one_recipient_are_parked():
    bench = Bench()
    for seq in range(HELD_PER_RECIPIENT + 3):
        bench.put(seq, b"same")
    await settle()
    assert bench.ledger.parked == [8, 9, 10]
    assert set(bench.settled) == {0, 8, 9, 10}


async def test_waiting_too_long_is_parked_and_frees_the_lane():
    bench = Bench(limit=1)
    for seq in range(3):
        bench.put(seq)
    await settle()
    bench.now = HELD_FOR_S + 1
    bench.lane.park_overdue()
    await settle()
    assert bench.ledger.parked == [1, 2]
    assert bench.lane.waiting == 0
    await bench.end(0)
    bench.put(1)  # the recipient of a parked turn is not blocked
    await settle()
    assert sorted(bench.running) == [1]


async def test_a_full_lane_makes_the_agent_wait():
    bench = Bench(limit=1)
    puts = [bench.put(seq) for seq in range(5)]
    await settle()
    assert [p.done() for p in puts] == [True, True, True, True, False] or [p.done() for p in puts].count(False) >= 1
    await bench.end(0)
    assert sum(p.done() for p in puts) >= 4


async def test_release_ends_every_wait_and_claims_nothing_more():
    bench = Bench(limit=1)
    puts = [bench.put(seq) for seq in range(8)]
    await settle()
    bench.lane.release()
    await settle()
    assert all(p.done() for p in puts)
    assert bench.lane.waiting == 0
    assert await bench.put(99) is False
    await bench.end(0)  # what was claimed finishes
    assert bench.finished == [0]
    assert bench.ledger.claimed == [0]
    bench.lane.resume()
    bench.put(0)
    await settle()
    assert sorted(bench.running) == [0]


async def test_without_postgresql_nothing_is_settled_and_release_ends_the_wait():
    bench = Bench()
    bench.ledger.down = True
    bench.put(1)
    await settle()
    assert bench.settled == []
    bench.lane.release()
    bench.now = 10
    await asyncio.wait_for(bench.lane.drain(patience_s=60), 2)
    assert bench.settled == []


async def test_postgresql_comes_back():
    bench = Bench()
    bench.ledger.down = True
    bench.put(1)
    await settle()
    bench.ledger.down = False
    bench.now = 10
    await asyncio.sleep(0.1)
    assert bench.settled == [1]
    await bench.end(1)
    assert bench.finished == [1]


async def test_parked_turns_of_one_recipient_come_back_one_after_the_other():
    bench = Bench(limit=20)
    for seq in range(HELD_PER_RECIPIENT + 6):
        bench.put(seq, b"same")
        await settle()
    assert bench.ledger.delays == sorted(bench.ledger.delays)
    assert len(set(bench.ledger.delays)) == 6
    bench.put(99, b"other")
    await settle()
    assert 99 in bench.running


async def test_parking_is_bounded_while_postgresql_is_away():
    bench = Bench(limit=4)
    bench.ledger.down = True
    puts = [bench.put(seq, b"same") for seq in range(200)]
    await settle()
    assert sum(p.done() for p in puts) <= 2 * 4 + HELD_PER_RECIPIENT
    bench.lane.release()
    bench.now = 10
    await bench.lane.drain(patience_s=60)


async def test_a_defect_in_a_step_is_tried_again_and_settles_nothing():
    bench = Bench()
    broken = True
    claim = bench.ledger.claim

    async def defective(turn):
        if broken:
            raise ValueError("a defect")
        return await claim(turn)

    bench.ledger.claim = defective
    bench.put(1)
    await settle()
    assert bench.settled == []
    broken = False
    bench.now = 100
    await asyncio.sleep(0.1)
    assert bench.settled == [1]
    await bench.end(1)


async def test_draining_has_an_end():
    bench = Bench()
    bench.put(1)
    await settle()
    await bench.lane.drain(patience_s=0)
    assert bench.lane.in_flight == 1
    await bench.end(1)
