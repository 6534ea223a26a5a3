"""Group commit: calls that arrive together become one statement."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Generic, TypeVar

from notistream.errors import NotiStreamError

T = TypeVar("T")
R = TypeVar("R")
log = logging.getLogger(__name__)

Pause = Callable[[int, float], float]
"""For how many seconds items gather after a flush of so many, which took so many seconds."""

ENOUGH = 100
PAUSE_MOST_S = 0.1
PAUSE_TIMES = 8


def by_load(flushed: int, took_s: float) -> float:
    """No pause after a single item, longer ones the larger the group.

    Where items come faster than they could be flushed one by one, groups grow by this, and with
    them the pauses; otherwise they stay small.
    """
    return min(min(flushed - 1, PAUSE_TIMES) * took_s, PAUSE_MOST_S)


def no_pause(_flushed: int, _took_s: float) -> float:
    """The next group goes at once."""
    return 0.0


class GroupCommit(Generic[T, R]):
    """Coalesces `submit` calls into calls of `flush`, which answers one result per item, in order.

    At most `in_flight` flushes run at once; while they run, and during the `pause` after each,
    items gather; `enough` of them end the pause. A flush that fails for a reason that lies in one
    item is repeated item by item, so that neighbours do not suffer.
    """

    def __init__(
        self,
        flush: Callable[[Sequence[T]], Awaitable[Sequence[R]]],
        *,
        max_size: int = 1000,
        in_flight: int = 1,
        pause: Pause = no_pause,
        enough: int = ENOUGH,
    ) -> None:
        self._flush = flush
        self._pause = pause
        self._enough = enough
        self._max_size = max_size
        self._free = in_flight
        self._waiting: list[tuple[T, asyncio.Future[R]]] = []
        self._gathered = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    async def submit(self, item: T) -> R:
        """The item's result once its statement is committed; raises the error it met."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[R] = loop.create_future()
        self._waiting.append((item, future))
        if len(self._waiting) >= self._enough:
            self._gathered.set()
        if self._free:
            self._free -= 1
            task = loop.create_task(self._drain())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await future

    async def _drain(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._waiting:
                group, self._waiting = (
                    self._waiting[: self._max_size],
                    self._waiting[self._max_size :],
                )
                began = loop.time()
                await self._commit(group)
                await self._gather(self._pause(len(group), loop.time() - began))
        finally:
            self._free += 1

    async def _gather(self, pause_s: float) -> None:
        if pause_s and len(self._waiting) < self._enough:
            self._gathered.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._gathered.wait(), pause_s)

    async def _commit(self, group: Sequence[tuple[T, "asyncio.Future[R]"]]) -> None:
        try:
            results = await self._flush([item for item, _ in group])
        except NotiStreamError as exc:
            _fail(group, exc)
        except Exception as exc:  # whatever it is, it belongs to the callers
            if len(group) == 1:
                _fail(group, exc)
                return
            log.warning("group commit failed, repeating one by one", exc_info=exc)
            for one in group:
                await self._commit([one])
        else:
            for (_, future), result in zip(group, results, strict=True):
                if not future.done():
                    future.set_result(result)


def _fail(group: Sequence[tuple[T, "asyncio.Future[R]"]], error: Exception) -> None:
    for _, future in group:
        if not future.done():
            future.set_exception(error)
