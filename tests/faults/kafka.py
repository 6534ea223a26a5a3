"""What the suite asks and tells Kafka beside the product: committed offsets, foreign records."""

from collections.abc import Mapping, Sequence

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient


async def committed(brokers: str, prefix: str, topic: str) -> int:
    """How many records of a topic the workers have acknowledged, all partitions together."""
    admin = AIOKafkaAdminClient(bootstrap_servers=brokers)
    await admin.start()
    try:
        offsets = await admin.list_consumer_group_offsets(prefix)
        return sum(at.offset for tp, at in offsets.items() if tp.topic == f"{prefix}.{topic}" and at.offset > 0)
    finally:
        await admin.close()


async def rewind(brokers: str, prefix: str, topics: Sequence[str]) -> None:
    """Set the workers' offsets of these topics to the beginning, as an operator's tool would; no worker may run."""
    consumer = AIOKafkaConsumer(bootstrap_servers=brokers, group_id=prefix, enable_auto_commit=False)
    await consumer.start()
    try:
        wanted = [TopicPartition(f"{prefix}.{topic}", partition) for topic in topics for partition in (0, 1)]
        consumer.assign(wanted)
        await consumer.commit(await consumer.beginning_offsets(wanted))
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


async def ends(brokers: str, topic: str) -> Mapping[int, int]:
    """The number of records in each partition of a topic."""
    consumer = AIOKafkaConsumer(bootstrap_servers=brokers)
    await consumer.start()
    try:
        partitions = consumer.partitions_for_topic(topic) or ()
        found = await consumer.end_offsets([TopicPartition(topic, partition) for partition in partitions])
        return {tp.partition: at for tp, at in found.items()}
    finally:
        await consumer.stop()
