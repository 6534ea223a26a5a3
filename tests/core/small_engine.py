"""One channel's engine on a virtual clock: real lanes, pipeline, admission.

Ledger, Kafka and providers in memory.
"""

import asyncio
from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import uuid4

from notistream.delivery.checks import Checks
from notistream.delivery.dead_letter_limit import DeadLetterLimit
from notistream.delivery.lanes import Lane, QueuedTurn
from notistream.delivery.limits import RecipientLimit
from notistream.delivery.pipeline import Pipeline, Timing
from notistream.delivery.ports import CapUse, Turn
from notistream.delivery.rendering import Renderer
from notistream.domain.notification import TERMINAL, Claimed, Priority, Status
from notistream.domain.outcome import Accepted, AttemptOutcome
from notistream.domain.rate_limit import Rate
from tests.core.channel_bench import ChannelBench
from tests.core.delivery_fakes import CLAIMED, ORIGIN, RecipientCounts
from tests.core.virtual_time import at_end, now

COMMIT_S = 0.003


@dataclass
class Row:
    """What PostgreSQL knows of a notification."""

    claimed: Claimed
    key: bytes
    status: Status = Status.PENDING
    seq: int = 1
    attempts: int = 0
    reason: str | None = None
    next_provider: str | None = None


class SmallEngine:
    """`answers` maps a provider's name and the time since the start to its answer."""

    def __init__(
        self,
        providers="a",
        *,
        answers=lambda provider, at: Accepted("m"),
        takes_s=0.02,
        rate=0.0,
        limit=64,
    ):
        self.started = now()
        self.answers, self.takes_s = answers, takes_s
        self.rows = {}
        self.calls = []
        self.unsettled = {}
        self.bench = ChannelBench(providers, rate)
        pipeline = Pipeline(
            ledger=self,
            dispatcher=self,
            checks=Checks(
                renderer=Renderer(None, {"sms": 160}.__getitem__),
                caps=self,
                recipient_limit=RecipientLimit(RecipientCounts(), Rate(0, 1)),
            ),
            dead_letter_limits={"sms": DeadLetterLimit(Rate(0, 1))},
            count=lambda *_: None,
            timing=Timing(clock=now, jitter=lambda: 0.5),
        )
        self.lanes = {
            priority: Lane(
                name=f"sms.{priority}",
                limit=limit,
                ledger=self,
                admitter=self.bench.channel.lane(priority),
                deliver=pipeline.deliver,
                clock=now,
            )
            for priority in Priority
        }
        for lane in self.lanes.values():
            at_end(lane.release)
        self.topics = {priority: asyncio.Queue() for priority in Priority}
        self.tasks = [asyncio.ensure_future(self._agent(priority)) for priority in Priority]
        self.tasks.append(asyncio.ensure_future(self._upkeep()))

    @property
    def at(self):
        return now() - self.started

    def submit(self, count, priority=Priority.NORMAL, recipients=10**6):
        """Accept so many; those of one recipient have one key."""
        for n in range(count):
            claimed = replace(CLAIMED, id=uuid4(), priority=priority)
            self.rows[claimed.id] = Row(claimed, b"r%d" % (n % recipients))
            self.topics[priority].put_nowait(Turn(claimed.id, 1))

    async def drain(self, patience_s):
        """Wait until all is over; the seconds since the start, or None where it took too long."""
        until = now() + patience_s
        while any(row.status not in TERMINAL for row in self.rows.values()):
            if now() > until:
                return None
            await asyncio.sleep(0.5)
        return self.at

    def statuses(self):
        return Counter(row.status for row in self.rows.values())

    def called(self, provider="a", begin=0.0, end=float("inf")):
        """How often a provider was called in a span of time."""
        return sum(name == provider and begin <= at < end for at, name, _ in self.calls)

    async def _agent(self, priority):
        while True:
            turn = await self.topics[priority].get()
            self.unsettled[turn] = priority
            await self.lanes[priority].put(
                QueuedTurn(turn, replace(ORIGIN, key=self.rows[turn.id].key), self._settle(turn))
            )

    def _settle(self, turn):
        return lambda: self.unsettled.pop(turn, None)

    async def rebalance(self):
        """Revoke all partitions and assign them again: what was not settled is read again."""
        for lane in self.lanes.values():
            lane.release()
        await asyncio.sleep(0.2)
        again, self.unsettled = self.unsettled, {}
        for turn, priority in again.items():
            self.topics[priority].put_nowait(turn)
        for lane in self.lanes.values():
            lane.resume()

    async def _upkeep(self):
        while True:
            await asyncio.sleep(1)
            for lane in self.lanes.values():
                lane.park_overdue()

    def _wait(self, row, delay_s):
        def queue(seq=row.seq):
            if row.seq == seq and row.status in {Status.RETRYING, Status.DEFERRED}:
                row.status, row.seq = Status.PENDING, seq + 1
                self.topics[row.claimed.priority].put_nowait(Turn(row.claimed.id, row.seq))

        asyncio.get_running_loop().call_later(delay_s, queue)

    def resume(self):
        """Make what a pause holds back due, as an operator does."""
        for row in self.rows.values():
            if row.status is Status.DEFERRED and row.reason.startswith("paused: "):
                self._wait(row, 0)

    async def claim(self, turn):
        await asyncio.sleep(COMMIT_S)
        row = self.rows[turn.id]
        if (row.status, row.seq) != (Status.PENDING, turn.seq):
            return None
        row.status, row.attempts = Status.PROCESSING, row.attempts + 1
        return replace(
            row.claimed,
            attempts=row.attempts,
            next_provider=row.next_provider,
            claimed_at=datetime.fromtimestamp(now(), UTC),
            call_before=now() + 15,
        )

    async def finish(self, claimed, end, origin):
        await asyncio.sleep(COMMIT_S)
        row = self.rows[claimed.id]
        row.status, row.reason, row.next_provider = end.status, end.reason, end.next_provider
        row.attempts -= end.outcome is AttemptOutcome.NOT_CALLED
        if end.delay_s is not None:
            self._wait(row, end.delay_s)

    async def park(self, parking):
        await asyncio.sleep(COMMIT_S)
        row = self.rows[parking.turn.id]
        if (row.status, row.seq) == (Status.PENDING, parking.turn.seq):
            row.status, row.reason = Status.DEFERRED, parking.reason
            self._wait(row, parking.delay_s)

    async def take(self, claimed, cap):
        return CapUse(allowed=True, used=0)

    async def send(self, provider, message):
        self.calls.append((self.at, provider, message.notification_id))
        await asyncio.sleep(self.takes_s)
        return self.answers(provider, self.at)
