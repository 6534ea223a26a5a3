"""Stores the records of a topic in PostgreSQL, many at a time; each is acknowledged once stored."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from faust.types import EventT, StreamT

from notistream.app import NotiStream
from notistream.delivery.lanes import Lane

AT_ONCE = 100
"""Records that are being stored at the same time, so that they share statements."""

Settle = Callable[[], None]
Store = Callable[[], Coroutine[Any, Any, None]]
Read = Callable[[EventT[bytes], Settle], Awaitable[Store | None]]
"""What stores a record and then settles it; None where the record is settled, or was released."""


class RecordStore:
    """Stores the records of one stream; `lane` says when the worker may not work on them."""

    def __init__(self, app: NotiStream, lane: Callable[[], Lane], read: Read) -> None:
        self._app = app
        self._lane = lane
        self._read = read
        self._places = asyncio.Semaphore(AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()

    async def consume(self, stream: StreamT[bytes]) -> None:
        """Store every record of the stream, for as long as the agent runs."""
        async for event in self._app.unacknowledged(stream).events():
            await self.receive(event)
            del event  # its task holds it now, or has released it

    async def receive(self, event: EventT[bytes]) -> None:
        """Begin to store one record, as soon as there is a place for it; never raises."""
        lane = self._lane()
        if not await self._app.admits(event, lane):
            return
        store = await self._read(event, self._app.track(event))
        if store is None:
            return
        await self._places.acquire()  # a release of the lanes ends what holds them
        if not lane.is_open:
            self._places.release()
            return
        task = asyncio.get_running_loop().create_task(store())
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        self._places.release()
