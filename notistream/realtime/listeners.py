"""Real time: the listeners of this process, how many there may be, and what feeds them."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from notistream.db.pool import Database
from notistream.errors import TooManyConnections
from notistream.kafka.connection import Kafka
from notistream.observability import metrics
from notistream.realtime.event_feed import EventFeed
from notistream.realtime.hub import Frames, Hub, InboxWakeup
from notistream.realtime.inbox import Inbox
from notistream.realtime.inbox_watch import InboxWatch
from notistream.realtime.ws_tokens import Reader, WsTokens

__all__ = ["Reader", "Realtime"]


class Realtime:
    """What sockets are made of; nothing here runs before the first of them."""

    def __init__(
        self,
        database: Database,
        *,
        inbox: Inbox,
        tokens: WsTokens,
        kafka: Kafka,
        prefix: str,
        queue: int,
        per_process: int,
        per_tenant: int,
    ) -> None:
        self.inbox = inbox
        self.tokens = tokens
        self.hub = Hub()
        self.feed = EventFeed(kafka=kafka, prefix=prefix, deliver=self.hub.publish)
        self._watch = InboxWatch(database)
        self._queue = queue
        self._per_process = per_process
        self._per_tenant = per_tenant
        self._open: Counter[UUID] = Counter()

    @asynccontextmanager
    async def place(self, tenant_id: UUID, stream: str) -> AsyncIterator[None]:
        """A connection's place while the block lasts; raises TooManyConnections."""
        if self._open.total() >= self._per_process or self._open[tenant_id] >= self._per_tenant:
            raise TooManyConnections
        self._open[tenant_id] += 1
        metrics.SOCKETS.labels(stream).inc()
        try:
            await self.feed.begin()
            yield
        finally:
            metrics.SOCKETS.labels(stream).dec()
            self._open[tenant_id] -= 1
            if not self._open[tenant_id]:
                del self._open[tenant_id]

    @asynccontextmanager
    async def statuses(self, tenant_id: UUID, recipient_id: str | None) -> AsyncIterator[Frames]:
        """Frames of a tenant's events, or only of one recipient's, while the block lasts."""
        frames = Frames(self._queue)
        self.hub.join(frames, tenant_id, recipient_id)
        try:
            yield frames
        finally:
            self.hub.leave(frames, tenant_id, recipient_id)

    @asynccontextmanager
    async def bell(
        self, tenant_id: UUID, recipient_id: str, *, seq: int
    ) -> AsyncIterator[InboxWakeup]:
        """A bell that rings when the inbox may be further than its `seq`, while the block lasts."""
        bell = InboxWakeup((tenant_id, recipient_id), seq)
        self.hub.join(bell, tenant_id, recipient_id)
        self._watch.add(bell)
        try:
            yield bell
        finally:
            self._watch.remove(bell)
            self.hub.leave(bell, tenant_id, recipient_id)

    async def close(self) -> None:
        """Stop what feeds the listeners."""
        await self.feed.close()
        await self._watch.close()
