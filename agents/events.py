"""The agent of the topic `events`: queues what webhook endpoints are to be told.

And the loop that tells them.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from uuid import UUID

from faust.types import EventT, StreamT

from notistream.agents.delivery import bury, headers_of
from notistream.agents.maintenance import one_round
from notistream.app import NotiStream
from notistream.db import webhook_deliveries
from notistream.db.group_commit import GroupCommit
from notistream.delivery.lanes import Lane
from notistream.domain.event import decode_events
from notistream.domain.notification import Priority
from notistream.kafka.records import EVENTS, NO_WEBHOOKS
from notistream.observability import metrics

log = logging.getLogger(__name__)
AT_ONCE = 100
BURIED_WITH = "in_app"
"""The channel whose dead letters keep what cannot be decoded: events have none of their own."""


def declare(app: NotiStream) -> None:
    """Declare the agent and the sender, before the app starts; an API process runs neither."""
    queue = Queue(app)

    async def tell(stream: StreamT[bytes]) -> None:
        async for event in app.manual(stream).events():
            await queue.receive(event)
            del event

    app.agent(app.raw_topic(EVENTS), name="events", concurrency=1)(tell)

    async def send_webhooks() -> None:
        while not app.api_only and not app.should_stop:
            await one_round("webhooks", app.runtime.webhook_sender.step)
            await app.runtime.webhook_sender.rest()

    app.task(send_webhooks)


class Queue:
    """Turns records into webhook deliveries; up to AT_ONCE records share a statement."""

    def __init__(self, app: NotiStream) -> None:
        self._app = app
        self._room = asyncio.Semaphore(AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()
        self._committed: GroupCommit[tuple[UUID, Sequence[str]], bool] = GroupCommit(
            self._enqueue, max_size=AT_ONCE
        )

    async def receive(self, event: EventT[bytes]) -> None:
        """Begin to queue one record's events; waits for room, never raises.

        Acknowledged once they are stored.
        """
        lane = self._app.lanes[BURIED_WITH, Priority.LOW]
        if not await self._app.takes(event, lane):
            return
        settle = self._app.open_record(event)
        if NO_WEBHOOKS in headers_of(event.message.headers):
            settle()
            return
        try:
            told = decode_events(event.message.value)
            lines = webhook_deliveries.lines(told)
        except ValueError as exc:
            await bury(self._app, lane, BURIED_WITH, event, reason=str(exc), settle=settle)
            return
        if not lines:
            settle()
            return
        await self._room.acquire()  # what holds it gives up when the lanes are let go
        if not lane.is_open:
            self._room.release()
            return
        task = asyncio.get_running_loop().create_task(
            self._keep(lane, told.tenant_id, lines, settle)
        )
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        self._room.release()

    async def _keep(
        self, lane: Lane, tenant_id: UUID, lines: Sequence[str], settle: Callable[[], None]
    ) -> None:
        await lane.persist(lambda: self._committed.submit((tenant_id, lines)), settle)

    async def _enqueue(self, records: Sequence[tuple[UUID, Sequence[str]]]) -> Sequence[bool]:
        database = self._app.runtime.database
        listening = await webhook_deliveries.listening(database, {tenant for tenant, _ in records})
        lines = [line for tenant, lines in records if tenant in listening for line in lines]
        if lines:
            metrics.WEBHOOK_QUEUED.inc(await webhook_deliveries.enqueue(database, lines))
            self._app.runtime.webhook_sender.wake()
        return [True] * len(records)
