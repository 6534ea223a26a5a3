"""Lanes: bound the work in flight per channel and priority; one turn at a time per recipient."""

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

WAITING_PER_RECIPIENT = 8
LONGEST_WAIT_S = 5.0
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
    """Runs turns in the order of arrival: at most `limit` at once, and one per recipient.

    A turn is admitted, then claimed, then its record is settled, then it is delivered. A turn that
    waits too long, or behind too many of its recipient, is parked: no partition waits behind it.
    """

    def __init__(
        self,
        *,
        name: str,
        limit: int,
        ledger: Ledger,
        admitter: Admitter,
        deliver: Callable[[Claimed, Permit, Origin], Awaitable[None]],
        clock: Callable[[], float],
    ) -> None:
        self.name = name
        self._limit = limit
        self._capacity = 2 * limit
        self._ledger = ledger
        self._admitter = admitter
        self._deliver = deliver
        self._clock = clock
        self._ready: deque[QueuedTurn] = deque()
        # By recipient: those that wait for the one in `_ready` or running.
        self._behind: dict[bytes, deque[QueuedTurn]] = {}
        self._waiting = 0
        self._running: set[asyncio.Future[None]] = set()
        self._parking: set[asyncio.Future[None]] = set()
        # By recipient (bytes), or by the gate that stops the lane.
        self._parked_until: dict[bytes | str, float] = {}
        self._pace_s = 0.01
        self._blocked: Blocked | None = None
        self._changed = asyncio.Event()
        self._generation = 0
        self._open = True
        self._declared = 0
        admitter.on_change(self._pump)

    @property
    def is_open(self) -> bool:
        """False between `release` and `resume`."""
        return self._open

    @property
    def waits(self) -> bool:
        """Whether the lane stands still for a known reason: admission, PostgreSQL, bad records."""
        return self._blocked is not None or self._declared > 0

    @contextmanager
    def declared_wait(self) -> Iterator[None]:
        """Count the block as a wait for a known reason."""
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

    async def put(self, queued: QueuedTurn) -> bool:
        """Take a turn as soon as there is room; False where the lane was released meanwhile."""
        generation = self._generation
        while self._open and self._waiting + len(self._parking) >= self._capacity:
            self._changed.clear()
            await self._changed.wait()
            if generation != self._generation:
                return False
        if not self._open:
            return False
        queued.since = self._clock()
        self._enqueue(queued)
        return True

    def _enqueue(self, queued: QueuedTurn) -> None:
        key = queued.origin.key
        behind = self._behind.get(key)
        if behind is None:
            self._behind[key] = deque()
            self._ready.append(queued)
        elif len(behind) + 1 < WAITING_PER_RECIPIENT:
            behind.append(queued)
        else:
            reason = f"{WAITING_PER_RECIPIENT} earlier messages to this recipient are waiting"
            self._park(queued, Blocked("lane", reason, PARK_S), behind=key, apart_s=self._pace_s)
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
        """Ask for a permit. A defect must not reach the agent: its record would count as done."""
        try:
            return self._admitter.admit(wanted)
        except Exception:
            log.exception("admission failed, trying again", extra={"lane": self.name})
            return Blocked("lane", "admission failed", DEFECT_RETRY_S)

    def _start(self, queued: QueuedTurn, permit: Permit) -> None:
        self._waiting -= 1
        task = asyncio.ensure_future(self._run(queued, permit))
        self._running.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: "asyncio.Future[None]") -> None:
        self._running.discard(task)
        self._parking.discard(task)
        if not task.cancelled() and task.exception():
            log.error("lane task failed", exc_info=task.exception(), extra={"lane": self.name})
        self._pump()

    async def _run(self, queued: QueuedTurn, permit: Permit) -> None:
        started = self._clock()
        try:
            claimed = await self._claim(queued)
            if claimed is not None:
                await self._deliver(claimed, permit, queued.origin)
                self._pace_s += (self._clock() - started - self._pace_s) / 16
        finally:
            permit.close()
            self._next(queued.origin.key)

    async def _claim(self, queued: QueuedTurn) -> Claimed | None:
        return await self.persist(lambda: self._ledger.claim(queued.turn), queued.settle)

    def _park(
        self, queued: QueuedTurn, blocked: Blocked, *, behind: bytes | str, apart_s: float
    ) -> None:
        """Park a turn `apart_s` after the last one that was parked behind the same thing."""
        now = self._clock()
        due = max(now + blocked.for_s, self._parked_until.get(behind, 0.0) + apart_s)
        self._parked_until[behind] = due
        parking = Parking(queued.turn, due - now, blocked.gate, blocked.reason)
        task = asyncio.ensure_future(self._persist_parking(parking, queued))
        self._parking.add(task)
        task.add_done_callback(self._done)

    async def _persist_parking(self, parking: Parking, queued: QueuedTurn) -> None:
        await self.persist(lambda: self._ledger.park(parking), queued.settle)

    async def persist(
        self, step: Callable[[], Awaitable[R]], settle: Callable[[], None]
    ) -> R | None:
        """Take a durable step, however long PostgreSQL is away, then settle the record.

        A release ends the wait; the answer is None then.
        """
        generation = self._generation
        while generation == self._generation:
            try:
                result = await step()
            except DatabaseUnavailable:
                with self.declared_wait():
                    await self._pause(DATABASE_RETRY_S)
                continue
            except Exception:  # a defect keeps this record open; to skip it would lose it
                log.exception("step failed, trying again", extra={"lane": self.name})
                await self._pause(DEFECT_RETRY_S)
                continue
            if generation == self._generation:
                settle()
            return result
        return None

    async def _pause(self, seconds: float) -> None:
        """Sleep, at most until a release."""
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
        """Park what has waited longer than about five seconds, as long as its reason may last."""
        now = self._clock()
        blocked = self._blocked or Blocked(
            "lane", f"the {self.name} lane was busy for {LONGEST_WAIT_S:g} s", PARK_S
        )
        if blocked.for_s < PARK_S:
            blocked = Blocked(blocked.gate, blocked.reason, PARK_S)
        for queued in list(self._overdue(now - LONGEST_WAIT_S)):
            self._park(queued, blocked, behind=blocked.gate, apart_s=self._pace_s / self._limit)
        self._parked_until = {key: due for key, due in self._parked_until.items() if due > now}
        self._pump()

    def _overdue(self, latest: float) -> Iterator[QueuedTurn]:
        for behind in self._behind.values():
            while behind and behind[0].since < latest:
                self._waiting -= 1
                yield behind.popleft()
        # Not always the first ones: see `_next`.
        for queued in [queued for queued in self._ready if queued.since < latest]:
            self._ready.remove(queued)
            self._waiting -= 1
            self._next(queued.origin.key)
            yield queued

    def release(self) -> None:
        """Drop the turns that are not claimed, and take none until `resume`; claimed ones end."""
        self._generation += 1
        self._open = False
        for queued in self._ready:
            del self._behind[queued.origin.key]
        self._ready.clear()
        for behind in self._behind.values():
            behind.clear()
        self._waiting = 0
        self._changed.set()

    def resume(self) -> None:
        """Take turns again."""
        self._open = True

    async def drain(self, *, patience_s: float) -> None:
        """Wait until nothing is in flight, at most `patience_s`; the sweeper ends what is left."""
        until = self._clock() + patience_s
        while (busy := self._running | self._parking) and self._clock() < until:
            await asyncio.wait(busy, timeout=max(until - self._clock(), 0))
