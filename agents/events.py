"""The agent of the topic `events`: queues webhook deliveries; and the loop that sends them."""

import logging
from collections.abc import Sequence
from functools import partial
from uuid import UUID

from faust.types import EventT

from notistream.agents.delivery import dead_letter_record, headers_of
from notistream.agents.maintenance import one_round
from notistream.agents.storing import AT_ONCE, RecordStore, Settle, Store
from notistream.app import NotiStream
from notistream.db import webhook_deliveries
from notistream.db.group_commit import GroupCommit
from notistream.delivery.lanes import Lane
from notistream.domain.event import decode_events
from notistream.domain.notification import Priority
from notistream.kafka.topic_names import EVENTS, NO_WEBHOOKS
from notistream.observability import metrics

log = logging.getLogger(__name__)
STORED_WITH = "in_app"
"""The channel whose dead letters take undecodable events: these have no topic of their own."""


def declare(app: NotiStream) -> None:
    """Declare the agent and the sender, before the app starts."""
    store = WebhookQueue(app).record_store()
    app.agent(app.raw_topic(EVENTS), name="events", concurrency=1)(store.consume)

    async def send_webhooks() -> None:
        while not app.should_stop:
            await one_round("webhooks", app.runtime.webhook_sender.step)
            await app.runtime.webhook_sender.rest()

    app.task(send_webhooks)


class WebhookQueue:
    """Turns records of events into webhook deliveries."""

    def __init__(self, app: NotiStream) -> None:
        self._app = app
        self._committed: GroupCommit[tuple[UUID, Sequence[str]], bool] = GroupCommit(
            self._enqueue, max_size=AT_ONCE
        )

    def record_store(self) -> RecordStore:
        """What the agent consumes with."""
        return RecordStore(self._app, self._lane, self._read)

    def _lane(self) -> Lane:
        return self._app.lanes[STORED_WITH, Priority.LOW]

    async def _read(self, event: EventT[bytes], settle: Settle) -> Store | None:
        if NO_WEBHOOKS in headers_of(event.message.headers):
            settle()
            return None
        try:
            events = decode_events(event.message.value)
            lines = webhook_deliveries.lines(events)
        except ValueError as exc:
            await dead_letter_record(
                self._app, self._lane(), STORED_WITH, event, reason=str(exc), settle=settle
            )
            return None
        if not lines:
            settle()
            return None
        return partial(self._store, events.tenant_id, lines, settle)

    async def _store(self, tenant_id: UUID, lines: Sequence[str], settle: Settle) -> None:
        await self._lane().persist(lambda: self._committed.submit((tenant_id, lines)), settle)

    async def _enqueue(self, records: Sequence[tuple[UUID, Sequence[str]]]) -> Sequence[bool]:
        database = self._app.runtime.database
        listening = await webhook_deliveries.listening(database, {tenant for tenant, _ in records})
        lines = [line for tenant, lines in records if tenant in listening for line in lines]
        if lines:
            metrics.WEBHOOK_QUEUED.inc(await webhook_deliveries.enqueue(database, lines))
            self._app.runtime.webhook_sender.wake()
        return [True] * len(records)
