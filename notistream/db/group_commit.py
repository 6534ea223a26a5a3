"""Group commit: calls that arrive together become one statement, and nobody waits when nothing is in flight."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from notistream.errors import NotiStreamError

T = TypeVar("T")
R = TypeVar("R")
log = logging.getLogger(__name__)


class GroupCommit(Generic[T, R]):
    """Coalesces `submit` calls into calls of `flush`, which answers one result per item, in order.

    At most `in_flight` flushes run at once; while they run, items gather, and where some have, the next flush
    waits `gather_s` more: so only under load. A flush that fails for a reason that lies in one item is repeated
    item by item, so that neighbours do not suffer.
    """

    def __init__(
        self,
        flush: Callable[[Sequence[T]], Awaitable[Sequence[R]]],
        *,
        max_size: int = 1000,
        in_flight: int = 1,
        gather_s: float = 0.0,
    ) -> None:
        self._flush = flush
        self._gather_s = gather_s
        self._max_size = max_size
        self._free = in_flight
        self._waiting: list[tuple[T, asyncio.Future[R]]] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def submit(self, item: T) -> R:
        """The item's result, once the statement that carried it is committed; or the error it met."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[R] = loop.create_future()
        self._waiting.append((item, future))
        if self._free:
            self._free -= 1
            task = loop.create_task(self._drain())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await future

    async def _drain(self) -> None:
        try:
            while self._waiting:
                group, self._waiting = self._waiting[: self._max_size], self._waiting[self._max_size :]
                await self._commit(group)
                if self._gather_s and self._waiting:
                    await asyncio.sleep(self._gather_s)
        finally:
            self._free += 1

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
