"""Lanes: for each channel and priority a bound on work in flight, and one turn at a time per recipient."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from notistream.delivery.ports import Admitter, Blocked, Ledger, Origin, Parking, Permit, Turn
from notistream.domain.notification import Claimed
from notistream.errors import DatabaseUnavailable

R = TypeVar("R")
log = logging.getLogger(__name__)

HELD_PER_RECIPIENT = 8
HELD_FOR_S = 5.0
PARK_S = 2.0
DATABASE_RETRY_S = 0.5
DEFECT_RETRY_S = 5.0


@dataclass(slots=True, eq=False)
class QueuedTurn:
    """A turn in a lane: not claimed yet, so its record is not settled."""

    turn: Turn
    origin: Origin
    settle: Callable[[], None]
    since: float = 0.0


class Lane:
    """Runs turns: at most `limit` at once, one per recipient, in the order of arrival, while its door admits them.

    A turn is admitted, then claimed, then its record is settled, then it is delivered. Turns that had to wait
    too long, or that are too many for one recipient, are parked, so that no partition waits behind them.
    """

    def __init__(
        self,
        *,
        name: str,
        limit: int,
        ledger: Ledger,
        door: Admitter,
        deliver: Callable[[Claimed, Permit, Origin], Awaitable[None]],
        clock: Callable[[], float],
    ) -> None:
        self.name = name
        self._limit = limit
        self._capacity = 2 * limit
        self._ledger = ledger
        self._door = door
        self._deliver = deliver
        self._clock = clock
        self._ready: deque[QueuedTurn] = deque()
        self._behind: dict[
            bytes, deque[QueuedTurn]
        ] = {}  # by recipient: those that wait for the one in `_ready` or running
        self._waiting = 0
        self._running: set[asyncio.Future[None]] = set()
        self._parking: set[asyncio.Future[None]] = set()
        self._parked_until: dict[
            bytes | str, float
        ] = {}  # by recipient (bytes), or by the gate that stops the lane
        self._pace_s = 0.01
        self._blocked: Blocked | None = None
        self._changed = asyncio.Event()
        self._generation = 0
        self._open = True
        self._declared = 0
        door.on_change(self._pump)

    @property
    def is_open(self) -> bool:
        """False between `release` and `resume`."""
        return self._open

    @property
    def waits(self) -> bool:
        """Whether it stands still for a reason that it knows: its door, PostgreSQL, too many bad records."""
        return self._blocked is not None or self._declared > 0

    @contextmanager
    def declared_wait(self) -> Iterator[None]:
        """Say that the lane stands still for a good reason until the block ends."""
        self._declared += 1
        try:
            yield
        finally:
            self._declared -= 1

    @property
    def in_flight(self) -> int:
        return len(self._running)

    @property
    def waiting(self) -> int:
        return self._waiting

    async def put(self, held: QueuedTurn) -> bool:
        """Take a turn, as soon as there is room; False when the lane was let go meanwhile."""
        generation = self._generation
        while self._open and self._waiting + len(self._parking) >= self._capacity:
            self._changed.clear()
            await self._changed.wait()
            if generation != self._generation:
                return False
        if not self._open:
            return False
        held.since = self._clock()
        self._enqueue(held)
        return True

    def _enqueue(self, held: QueuedTurn) -> None:
        key = held.origin.key
        behind = self._behind.get(key)
        if behind is None:
            self._behind[key] = deque()
            self._ready.append(held)
        elif len(behind) + 1 < HELD_PER_RECIPIENT:
            behind.append(held)
        else:
            reason = f"{HELD_PER_RECIPIENT} earlier messages to this recipient are waiting"
            self._park(held, Blocked("lane", reason, PARK_S), behind=key, apart_s=self._pace_s)
            return
        self._waiting += 1
        self._pump()

    def _pump(self) -> None:
        self._blocked = None
        while self._ready and len(self._running) < self._limit:
            permit = self._admitted(min(len(self._ready), self._limit - len(self._running)))
            if isinstance(permit, Blocked):
                self._blocked = permit
                break
            self._start(self._ready.popleft(), permit)
        self._changed.set()

    def _admitted(self, wanted: int) -> Permit | Blocked:
        """A defect behind the door must not reach the agent, whose record would then count as done."""
        try:
            return self._door.admit(wanted)
        except Exception:
            log.exception("admission failed, trying again", extra={"lane": self.name})
            return Blocked("lane", "admission failed", DEFECT_RETRY_S)

    def _start(self, held: QueuedTurn, permit: Permit) -> None:
        self._waiting -= 1
        task = asyncio.ensure_future(self._run(held, permit))
        self._running.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: "asyncio.Future[None]") -> None:
        self._running.discard(task)
        self._parking.discard(task)
        if not task.cancelled() and task.exception():
            log.error("lane task failed", exc_info=task.exception(), extra={"lane": self.name})
        self._pump()

    async def _run(self, held: QueuedTurn, permit: Permit) -> None:
        started = self._clock()
        try:
            claimed = await self._claim(held)
            if claimed is not None:
                await self._deliver(claimed, permit, held.origin)
                self._pace_s += (self._clock() - started - self._pace_s) / 16
        finally:
            permit.close()
            self._next(held.origin.key)

    async def _claim(self, held: QueuedTurn) -> Claimed | None:
        return await self.persist(lambda: self._ledger.claim(held.turn), held.settle)

    def _park(
        self, held: QueuedTurn, blocked: Blocked, *, behind: bytes | str, apart_s: float
    ) -> None:
        """Park a turn after those that are parked `behind` the same thing, as far apart as that is fast."""
        now = self._clock()
        due = max(now + blocked.for_s, self._parked_until.get(behind, 0.0) + apart_s)
        self._parked_until[behind] = due
        parking = Parking(held.turn, due - now, blocked.gate, blocked.reason)
        task = asyncio.ensure_future(self._persist_parking(parking, held))
        self._parking.add(task)
        task.add_done_callback(self._done)

    async def _persist_parking(self, parking: Parking, held: QueuedTurn) -> None:
        await self.persist(lambda: self._ledger.park(parking), held.settle)

    async def persist(
        self, step: Callable[[], Awaitable[R]], settle: Callable[[], None]
    ) -> R | None:
        """Take a durable step, however long PostgreSQL is away, then settle the record.

        A release ends it.
        """
        generation = self._generation
        while generation == self._generation:
            try:
                result = await step()
            except DatabaseUnavailable:
                with self.declared_wait():
                    await self._pause(DATABASE_RETRY_S)
                continue
            except Exception:  # a defect stops this record visibly; passing over it would lose it
                log.exception("step failed, trying again", extra={"lane": self.name})
                await self._pause(DEFECT_RETRY_S)
                continue
            if generation == self._generation:
                settle()
            return result
        return None

    async def _pause(self, seconds: float) -> None:
        """Sleep, but not past a release."""
        generation, until = self._generation, self._clock() + seconds
        while generation == self._generation and self._clock() < until:
            await asyncio.sleep(0.05)

    def _next(self, key: bytes) -> None:
        behind = self._behind.get(key)
        if behind:
            self._ready.append(behind.popleft())
        elif behind is not None:
            del self._behind[key]

    def park_overdue(self) -> None:
        """Park what has waited longer than about five seconds, until what it waits for may be over."""
        now = self._clock()
        blocked = self._blocked or Blocked(
            "lane", f"the {self.name} lane was busy for {HELD_FOR_S:g} s", PARK_S
        )
        if blocked.for_s < PARK_S:
            blocked = Blocked(blocked.gate, blocked.reason, PARK_S)
        for held in list(self._overdue(now - HELD_FOR_S)):
            self._park(held, blocked, behind=blocked.gate, apart_s=self._pace_s / self._limit)
        self._parked_until = {key: due for key, due in self._parked_until.items() if due > now}
        self._pump()

    def _overdue(self, latest: float) -> Iterator[QueuedTurn]:
        for behind in self._behind.values():
            while behind and behind[0].since < latest:
                self._waiting -= 1
                yield behind.popleft()
        for held in [
            held for held in self._ready if held.since < latest
        ]:  # not always the first: see `_next`
            self._ready.remove(held)
            self._waiting -= 1
            self._next(held.origin.key)
            yield held

    def release(self) -> None:
        """Let go of every turn that is not claimed, and take none until `resume`.

        Claimed ones finish.
        """
        self._generation += 1
        self._open = False
        for held in self._ready:
            del self._behind[held.origin.key]
        self._ready.clear()
        for behind in self._behind.values():
            behind.clear()
        self._waiting = 0
        self._changed.set()

    def resume(self) -> None:
        """Take turns again."""
        self._open = True

    async def drain(self, *, patience_s: float) -> None:
        """Wait until nothing is in flight, at most `patience_s`.

        What is left then belongs to the lease sweeper.
        """
        until = self._clock() + patience_s
        while (busy := self._running | self._parking) and self._clock() < until:
            await asyncio.wait(busy, timeout=max(until - self._clock(), 0))
