"""The hub: which listener of this process is told of which event.

Every listener has a bounded queue.
"""

import asyncio
from collections import defaultdict, deque
from typing import Protocol
from uuid import UUID

import orjson

from notistream.db.inbox import Owner
from notistream.domain.event import Event, Events

STATUS_EVENTS = "notification."
INBOX_EVENT = "notification.delivered"
INBOX_CHANNEL = "in_app"


class Listener(Protocol):
    """Who is told; `hear` never waits and never raises."""

    def hear(self, event: Event, frame: bytes) -> None:
        """Take an event, and the same as a JSON object to be sent on."""


class Hub:
    """Listeners by tenant, or by tenant and recipient.

    Telling costs what those cost who are concerned.
    """

    def __init__(self) -> None:
        self._listeners: defaultdict[tuple[UUID, str | None], set[Listener]] = defaultdict(set)
        self._tenants: defaultdict[UUID, int] = defaultdict(int)

    def join(self, listener: Listener, tenant_id: UUID, recipient_id: str | None) -> None:
        """Tell this listener of the recipient's events from now on, or of all of the tenant."""
        self._listeners[tenant_id, recipient_id].add(listener)
        self._tenants[tenant_id] += 1

    def leave(self, listener: Listener, tenant_id: UUID, recipient_id: str | None) -> None:
        """Tell it no more."""
        listeners = self._listeners[tenant_id, recipient_id]
        listeners.discard(listener)
        if not listeners:
            del self._listeners[tenant_id, recipient_id]
        self._tenants[tenant_id] -= 1
        if not self._tenants[tenant_id]:
            del self._tenants[tenant_id]

    def publish(self, events: Events) -> None:
        """Tell everybody here whom these events concern."""
        if events.tenant_id not in self._tenants:
            return
        for event in events.events:
            if event.type.startswith(STATUS_EVENTS):
                self._tell(events.tenant_id, event)

    def _tell(self, tenant_id: UUID, event: Event) -> None:
        everybody = self._listeners.get((tenant_id, None), ())
        recipient = event.data.get("recipient_id")
        concerned = (
            self._listeners.get((tenant_id, recipient), ()) if isinstance(recipient, str) else ()
        )
        if everybody or concerned:
            frame = status_frame(event)
            for listener in (*everybody, *concerned):
                listener.hear(event, frame)


def status_frame(event: Event) -> bytes:
    """What a client of the status stream gets."""
    return orjson.dumps(
        {"id": event.id, "type": event.type, **event.data, "timestamp": event.at},
        option=orjson.OPT_UTC_Z,
    )


class Frames:
    """A listener whose frames wait to be sent.

    With more than `limit` waiting it is too slow, and hears no more.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._waiting: deque[bytes] = deque()
        self._wake = asyncio.Event()
        self.overrun: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def hear(self, _event: Event, frame: bytes) -> None:
        """See `Listener`."""
        if self.overrun.done():
            return
        if len(self._waiting) >= self._limit:
            self._waiting.clear()
            self.overrun.set_result(None)
            return
        self._waiting.append(frame)
        self._wake.set()

    async def next(self) -> bytes:
        """The frame that has waited longest."""
        while not self._waiting:
            self._wake.clear()
            await self._wake.wait()
        return self._waiting.popleft()


class InboxWakeup:
    """A listener that rings when something came into one inbox.

    `seq` is the place up to which that is known.
    """

    def __init__(self, owner: Owner, seq: int) -> None:
        self.owner = owner
        self.seq = seq
        self._rung = asyncio.Event()

    def hear(self, event: Event, _frame: bytes) -> None:
        """See `Listener`."""
        if event.type == INBOX_EVENT and event.data.get("channel") == INBOX_CHANNEL:
            self.wake()

    def wake(self) -> None:
        """Wake who waits, or comes to wait next."""
        self._rung.set()

    async def wait(self) -> None:
        """Wait until it rings; what rang before this call counts."""
        await self._rung.wait()
        self._rung.clear()
