"""The event feed on a real Kafka that goes away and comes back."""

import asyncio
from uuid import UUID, uuid4

import orjson
import pytest
from aiokafka import AIOKafkaProducer

from notistream.domain.event import Events
from notistream.kafka import topics
from notistream.kafka.connection import Kafka
from notistream.realtime.event_feed import EventFeed
from notistream.settings.model import Settings
from tests.services import dedicated_services, topic_prefix
from tests.stack import until

pytestmark = pytest.mark.integration


def record(event_id: UUID) -> bytes:
    return orjson.dumps(
        {
            "v": 1,
            "tenant_id": str(uuid4()),
            "events": [
                {
                    "id": str(event_id),
                    "type": "notification.delivered",
                    "at": "2026-01-31T00:00:00Z",
                    "data": {},
                }
            ],
        }
    )


async def produce(brokers: str, topic: str, *values: bytes | None) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=brokers)
    await producer.start()
    try:
        for partition, value in enumerate(values):
            await producer.send_and_wait(topic, value, key=b"k", partition=partition % 2)
    finally:
        await producer.stop()


async def test_begins_at_the_end_reads_every_partition_and_goes_on_after_kafka_was_away() -> None:
    with dedicated_services() as services:
        brokers, prefix = services.endpoints.kafka_brokers, topic_prefix()
        got: list[UUID] = []

        def deliver(events: Events) -> None:
            got.extend(event.id for event in events.events)

        feed = EventFeed(kafka=Kafka(brokers), prefix=prefix, deliver=deliver)
        try:
            await asyncio.wait_for(feed.begin(), 60)  # its topic is not there yet
            settings = Settings(
                _env_file=None, kafka_brokers=brokers, topic_prefix=prefix, topic_partitions=2
            )
            await topics.prepare(settings.kafka, settings)
            await until(lambda: feed.reading, what="the feed to find its topic")
            first = [uuid4() for _ in range(4)]
            await produce(brokers, f"{prefix}.events", *map(record, first), b"not JSON", None)
            await until(lambda: set(got) >= set(first), what="all partitions to be read")
            await asyncio.to_thread(services.kafka.kill)
            await asyncio.to_thread(services.kafka.start)
            later = uuid4()
            await produce(services.endpoints.kafka_brokers, f"{prefix}.events", record(later))
            await until(lambda: later in got, what="the feed to come back")
            late: list[UUID] = []
            second = EventFeed(
                kafka=Kafka(brokers),
                prefix=prefix,
                deliver=lambda events: late.extend(e.id for e in events.events),
            )
            await second.begin()
            last = uuid4()
            await produce(services.endpoints.kafka_brokers, f"{prefix}.events", record(last))
            await until(lambda: last in late and last in got, what="the last event")
            await second.close()
        finally:
            await feed.close()
    assert late == [last], "what was told before is not read"
    assert sorted(got) == sorted([*first, later, last])
