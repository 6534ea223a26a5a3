"""What the suite asks and tells Kafka beside the product: committed offsets, foreign records."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from notistream.kafka.connection import Kafka
from notistream.kafka.positions import LanePosition, Positions


async def position(brokers: str, prefix: str, topic: str) -> LanePosition:
    """How many records of a lane the workers have acknowledged, and how many they have not."""
    positions = Positions(kafka=Kafka(brokers), prefix=prefix, group=prefix)
    try:
        return (await positions.lanes())[topic]
    finally:
        await positions.close()


async def acknowledged(brokers: str, prefix: str, topics: Sequence[str]) -> int:
    """How many records of these topics the workers have acknowledged."""
    async with _of_the_group(brokers, prefix, topics) as consumer:
        return sum([await consumer.committed(tp) or 0 for tp in consumer.assignment()])


async def rewind(brokers: str, prefix: str, topics: Sequence[str]) -> None:
    """Set the workers' offsets of these topics to the beginning, as an operator's tool would.

    No worker may run.
    """
    async with _of_the_group(brokers, prefix, topics) as consumer:
        await consumer.commit(await consumer.beginning_offsets(list(consumer.assignment())))


@asynccontextmanager
async def _of_the_group(
    brokers: str, prefix: str, topics: Sequence[str]
) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer that speaks for the workers' group, without joining it, about all partitions of
    these topics.
    """
    consumer = AIOKafkaConsumer(
        bootstrap_servers=brokers, group_id=prefix, enable_auto_commit=False
    )
    await consumer.start()
    try:
        consumer.assign(
            [
                TopicPartition(f"{prefix}.{topic}", partition)
                for topic in topics
                for partition in (0, 1)
            ]
        )
        yield consumer
    finally:
        await consumer.stop()


async def put(brokers: str, topic: str, records: Sequence[tuple[bytes, bytes | None]]) -> None:
    """Put (key, value) records straight into a topic."""
    producer = AIOKafkaProducer(bootstrap_servers=brokers)
    await producer.start()
    try:
        for key, value in records:
            await producer.send_and_wait(topic, value, key=key)
    finally:
        await producer.stop()
