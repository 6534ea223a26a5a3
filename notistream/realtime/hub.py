"""The hub: passes each event to the listeners of this process that it concerns."""

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
    """Receives events; `hear` never waits and never raises."""

    def hear(self, event: Event, frame: bytes) -> None:
        """Take an event, and its JSON frame to send."""


class Hub:
    """Listeners by tenant, or by tenant and recipient.

    The cost of an event grows only with the listeners that it concerns.
    """

    def __init__(self) -> None:
        self._listeners: defaultdict[tuple[UUID, str | None], set[Listener]] = defaultdict(set)
        self._tenants: defaultdict[UUID, int] = defaultdict(int)

    def join(self, listener: Listener, tenant_id: UUID, recipient_id: str | None) -> None:
        """Pass events of the recipient, or without one of the whole tenant, to this listener."""
        self._listeners[tenant_id, recipient_id].add(listener)
        self._tenants[tenant_id] += 1

    def leave(self, listener: Listener, tenant_id: UUID, recipient_id: str | None) -> None:
        """Stop passing events to this listener."""
        listeners = self._listeners[tenant_id, recipient_id]
        listeners.discard(listener)
        if not listeners:
            del self._listeners[tenant_id, recipient_id]
        self._tenants[tenant_id] -= 1
        if not self._tenants[tenant_id]:
            del self._tenants[tenant_id]

    def publish(self, events: Events) -> None:
        """Pass events to every listener that they concern."""
        if events.tenant_id not in self._tenants:
            return
        for event in events.events:
            if event.type.startswith(STATUS_EVENTS):
                self._pass_on(events.tenant_id, event)

    def _pass_on(self, tenant_id: UUID, event: Event) -> None:
        of_tenant = self._listeners.get((tenant_id, None), ())
        recipient = event.data.get("recipient_id")
        of_recipient = (
            self._listeners.get((tenant_id, recipient), ()) if isinstance(recipient, str) else ()
        )
        if of_tenant or of_recipient:
            frame = status_frame(event)
            for listener in (*of_tenant, *of_recipient):
                listener.hear(event, frame)


def status_frame(event: Event) -> bytes:
    """Encode an event for clients of the status stream."""
    return orjson.dumps(
        {"id": event.id, "type": event.type, **event.data, "timestamp": event.at},
        option=orjson.OPT_UTC_Z,
    )


class Frames:
    """A listener that queues frames until they are sent.

    When `limit` frames wait, the client is too slow: `overrun` is set, and the queue is dropped.
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
        """Return the oldest frame, or wait for one."""
        while not self._waiting:
            self._wake.clear()
            await self._wake.wait()
        return self._waiting.popleft()


class InboxWakeup:
    """A listener that wakes the stream of one inbox when a message may have arrived.

    `seq` is the sequence number of the last message that was sent.
    """

    def __init__(self, owner: Owner, seq: int) -> None:
        self.owner = owner
        self.seq = seq
        self._woken = asyncio.Event()

    def hear(self, event: Event, _frame: bytes) -> None:
        """See `Listener`."""
        if event.type == INBOX_EVENT and event.data.get("channel") == INBOX_CHANNEL:
            self.wake()

    def wake(self) -> None:
        """Wake the stream, or let its next `wait` return at once."""
        self._woken.set()

    async def wait(self) -> None:
        """Wait for a wake-up; one that came before this call counts."""
        await self._woken.wait()
        self._woken.clear()
