"""One agent per dead-letter topic: makes sure that the table `dead_letters` has its records.

Whoever writes a record has written the row before, so this changes nothing, unless the table was
lost. Then reading the topics from their beginning fills it, without duplicates, byte for byte.
"""

import logging
from functools import partial

from faust.types import EventT

from notistream.agents.delivery import headers_of
from notistream.agents.storing import RecordStore, Settle, Store
from notistream.app import NotiStream
from notistream.delivery.lanes import Lane
from notistream.domain.notification import CHANNELS, Priority
from notistream.kafka.dead_letter import BadRecord, Consumed, FailedDelivery, dead_letter, time_of
from notistream.kafka.topic_names import dlq_topic
from notistream.observability import metrics, tracing

log = logging.getLogger(__name__)


def declare(app: NotiStream) -> None:
    """Declare the dead-letter agents of all channels, before the app starts."""
    for channel in CHANNELS:
        topic = app.raw_topic(dlq_topic(channel))
        app.agent(topic, name=f"dead-letter-{channel}", concurrency=1)(
            record_store(app, channel).consume
        )


def record_store(app: NotiStream, channel: str) -> RecordStore:
    """What stores the dead letters of one channel."""

    def lane() -> Lane:
        return app.lanes[channel, Priority.LOW]

    async def read(event: EventT[bytes], settle: Settle) -> Store:
        return partial(_store, app, channel, consumed(event), settle)

    return RecordStore(app, lane, read)


async def _store(app: NotiStream, channel: str, record: Consumed, settle: Settle) -> None:
    lane, letter = app.lanes[channel, Priority.LOW], dead_letter(channel, record)
    traceparent = tracing.carried(record.headers)
    with tracing.below(traceparent, "keep dead letter", kind=tracing.CONSUMER) as span:
        span.note(topic=record.topic, partition=record.partition, offset=record.offset)
        restored = await lane.persist(lambda: app.runtime.dead_letters.keep(letter), settle)
    if restored is not None:
        found = found_as(letter, record, restored=restored)
        metrics.DEAD_LETTERS_READ.labels(channel, found).inc()
        if found == "foreign":
            log.warning(
                "not a dead letter of ours, stored as one",
                extra={
                    "topic": record.topic,
                    "partition": record.partition,
                    "offset": record.offset,
                },
            )


def found_as(letter: FailedDelivery | BadRecord, record: Consumed, *, restored: bool) -> str:
    """The label of the metric: `foreign`, `restored` or `known`."""
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
