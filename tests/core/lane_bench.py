"""A lane on a virtual clock, with a door and a provider whose answers the test decides."""

import asyncio
from dataclasses import replace
from uuid import uuid4

from notistream.delivery.lanes import Lane, QueuedTurn
from notistream.delivery.ports import Turn
from notistream.errors import DatabaseUnavailable
from tests.core.delivery_fakes import ORIGIN
from tests.core.virtual_time import at_end, now


class Ledger:
    """Claims everything but what is `stale`, in memory; can be down, or have a defect."""

    def __init__(self):
        self.error = None
        self.stale = set()
        self.claimed = []
        self.parked = {}

    async def claim(self, turn):
        self._may_fail()
        if turn.seq in self.stale:
            return None
        self.claimed.append(turn.seq)
        return turn

    async def park(self, parking):
        self._may_fail()
        self.parked[parking.turn.seq] = parking

    async def finish(self, claimed, end, origin):
        raise AssertionError

    def _may_fail(self):
        if self.error:
            raise self.error


class Door:
    """Admits everything while `blocked` is None; every permit has to be closed once."""

    def __init__(self):
        self.blocked = None
        self.wanted = []
        self.open = 0
        self.changed = lambda: None

    def admit(self, wanted):
        self.wanted.append(wanted)
        if self.blocked:
            return self.blocked
        self.open += 1
        return Permit(self)

    def on_change(self, callback):
        self.changed = callback

    def change(self, blocked=None):
        self.blocked = blocked
        self.changed()


class Permit:
    """Counts itself as open until it is closed."""

    def __init__(self, door):
        self.door = door
        self.closed = False

    def close(self):
        assert not self.closed
        self.closed = True
        self.door.open -= 1


class LaneBench:
    """Deliveries end when the test says so, or after `takes_s`."""

    def __init__(self, limit=4, takes_s=None):
        self.ledger = Ledger()
        self.door = Door()
        self.takes_s = takes_s
        self.settled = []
        self.running = {}
        self.finished = []
        self.lane = Lane(
            name="sms.high",
            limit=limit,
            ledger=self.ledger,
            admitter=self.door,
            deliver=self.deliver,
            clock=now,
        )
        at_end(self.lane.release)

    async def deliver(self, claimed, permit, origin):
        assert not permit.closed
        self.running[claimed.seq] = ended = asyncio.Event()
        if self.takes_s is None:
            await ended.wait()
        else:
            await asyncio.sleep(self.takes_s)
        del self.running[claimed.seq]
        self.finished.append(claimed.seq)

    def put(self, seq, key=None):
        origin = replace(ORIGIN, offset=seq, key=key or f"r{seq}".encode())
        return asyncio.create_task(
            self.lane.put(QueuedTurn(Turn(uuid4(), seq), origin, lambda: self.settled.append(seq)))
        )

    async def put_all(self, seqs, key=None):
        """Put one after the other as an agent does, then let all that can happen at once happen."""
        tasks = [self.put(seq, key) for seq in seqs]
        await settle()
        return tasks

    async def end(self, *seqs):
        for seq in seqs:
            self.running[seq].set()
        await settle()

    def down(self):
        self.ledger.error = DatabaseUnavailable()


async def settle():
    for _ in range(30):
        await asyncio.sleep(0)
