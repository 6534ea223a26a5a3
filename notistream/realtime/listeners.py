"""Real time: admits sockets of this process and connects them to events."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from notistream.db.pool import Database
from notistream.errors import TooManyConnections
from notistream.kafka.connection import Kafka
from notistream.observability import metrics
from notistream.realtime.event_feed import EventFeed
from notistream.realtime.hub import Frames, Hub, InboxWakeup
from notistream.realtime.inbox_watch import InboxWatch
from notistream.realtime.recipient_tokens import RecipientTokens


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLimits:
    """How many sockets may be open, and how many frames may wait for each."""

    per_process: int
    per_tenant: int
    queue: int


class Realtime:
    """Admits sockets and connects them to events; it starts with the first socket."""

    def __init__(
        self,
        database: Database,
        *,
        tokens: RecipientTokens,
        kafka: Kafka,
        prefix: str,
        limits: ConnectionLimits,
    ) -> None:
        self.tokens = tokens
        self.hub = Hub()
        self.feed = EventFeed(kafka=kafka, prefix=prefix, deliver=self.hub.publish)
        self._watch = InboxWatch(database)
        self._limits = limits
        self._open: Counter[UUID] = Counter()

    @asynccontextmanager
    async def admit(self, tenant_id: UUID, stream: str) -> AsyncIterator[None]:
        """Count a connection while the block runs; raises TooManyConnections."""
        limits = self._limits
        if self._open.total() >= limits.per_process or self._open[tenant_id] >= limits.per_tenant:
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
        """Collect frames of a tenant, or of one recipient, while the block runs."""
        frames = Frames(self._limits.queue)
        self.hub.join(frames, tenant_id, recipient_id)
        try:
            yield frames
        finally:
            self.hub.leave(frames, tenant_id, recipient_id)

    @asynccontextmanager
    async def wakeup(
        self, tenant_id: UUID, recipient_id: str, *, seq: int
    ) -> AsyncIterator[InboxWakeup]:
        """Watch an inbox for messages after `seq` while the block runs."""
        wakeup = InboxWakeup((tenant_id, recipient_id), seq)
        self.hub.join(wakeup, tenant_id, recipient_id)
        self._watch.add(wakeup)
        try:
            yield wakeup
        finally:
            self._watch.remove(wakeup)
            self.hub.leave(wakeup, tenant_id, recipient_id)

    async def close(self) -> None:
        """Stop the event feed and the inbox watch."""
        await self.feed.close()
        await self._watch.close()
