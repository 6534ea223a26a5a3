"""One agent per dead-letter topic: makes sure that every record of it is in the table `dead_letters`.

Whoever writes a record has written the row before, so this changes nothing, unless the table was lost: then reading
the topics again from their beginning fills it, without duplicates and byte for byte.
"""

import asyncio
import logging
from collections.abc import Callable

from faust.types import EventT, StreamT

from notistream.agents.delivery import headers_of
from notistream.app import NotiStream
from notistream.delivery.lanes import Lane
from notistream.domain.notification import CHANNELS, Priority
from notistream.kafka.records import (
    BadRecord,
    Consumed,
    FailedDelivery,
    dead_letter,
    dlq_topic,
    time_of,
)
from notistream.observability import metrics, tracing

log = logging.getLogger(__name__)
AT_ONCE = 100


def declare(app: NotiStream) -> None:
    """Declare the dead-letter agents of all channels, before the app starts."""
    for channel in CHANNELS:
        _declare(app, channel)


def _declare(app: NotiStream, channel: str) -> None:
    keeper = Keeper(app, channel)

    async def keep(stream: StreamT[bytes]) -> None:
        async for event in app.manual(stream).events():
            await keeper.receive(event)
            del event

    app.agent(app.raw_topic(dlq_topic(channel)), name=f"dead-letter-{channel}", concurrency=1)(keep)


class Keeper:
    """Keeps the dead letters of one channel; up to AT_ONCE of them share a statement."""

    def __init__(self, app: NotiStream, channel: str) -> None:
        self._app = app
        self._channel = channel
        self._room = asyncio.Semaphore(AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()

    async def receive(self, event: EventT[bytes]) -> None:
        """Begin to keep one record; waits for room, never raises.

        It is acknowledged once it is in the table.
        """
        lane = self._app.lanes[self._channel, Priority.LOW]
        if not await self._app.takes(event, lane):
            return
        settle = self._app.open_record(event)
        record = consumed(event)
        await self._room.acquire()  # what holds it gives up when the lanes are let go
        if not lane.is_open:
            self._room.release()
            return
        task = asyncio.get_running_loop().create_task(self._keep(lane, record, settle))
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        self._room.release()

    async def _keep(self, lane: Lane, record: Consumed, settle: Callable[[], None]) -> None:
        letter = dead_letter(self._channel, record)
        with tracing.below(
            tracing.carried(record.headers), "keep dead letter", kind=tracing.CONSUMER
        ) as span:
            span.note(topic=record.topic, partition=record.partition, offset=record.offset)
            restored = await lane.persist(
                lambda: self._app.runtime.dead_letters.keep(letter), settle
            )
        if restored is not None:
            found = found_as(letter, record, restored=restored)
            metrics.DEAD_LETTERS_READ.labels(self._channel, found).inc()
            if found == "foreign":
                log.warning(
                    "not a dead letter of ours, kept as one",
                    extra={
                        "topic": record.topic,
                        "partition": record.partition,
                        "offset": record.offset,
                    },
                )


def found_as(letter: FailedDelivery | BadRecord, record: Consumed, *, restored: bool) -> str:
    """How the metric calls it."""
    if (
        isinstance(letter, BadRecord)
        and letter.topic == record.topic
        and letter.offset == record.offset
    ):
        return "foreign"
    return "restored" if restored else "known"


def consumed(event: EventT[bytes]) -> Consumed:
    """The record of an event."""
    message = event.message
    return Consumed(
        topic=message.topic,
        partition=message.partition,
        offset=message.offset,
        at=time_of(message.timestamp),
        key=message.key,
        value=message.value,
        headers=headers_of(message.headers),
    )
