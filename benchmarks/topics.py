"""Topics of a run for the bare limits; deleted at its end, as thousands slow a broker down."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import orjson
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

PARTITIONS = 8


@asynccontextmanager
async def _admin(brokers: str) -> AsyncIterator[AIOKafkaAdminClient]:
    client = AIOKafkaAdminClient(bootstrap_servers=brokers)
    await client.start()
    try:
        yield client
    finally:
        await client.close()


async def create(brokers: str, name: str) -> None:
    async with _admin(brokers) as client:
        await client.create_topics([NewTopic(name, PARTITIONS, 1)])


async def fill(brokers: str, name: str, count: int) -> None:
    """Fill a topic with as many records as a backlog has, in the form of the product's own."""
    producer = AIOKafkaProducer(bootstrap_servers=brokers)
    await producer.start()
    try:
        for number in range(count):
            # The id is as long as a UUID.
            record = orjson.dumps({"id": f"bare-{number:031}", "seq": 1, "v": 1})
            await producer.send(
                name, record, key=b"00000000-0000-7000-8000-000000000000:+90500%07d" % number
            )
    finally:
        await producer.stop()  # sends what is left first


async def delete(brokers: str, prefix: str) -> None:
    """Delete every topic whose name begins so."""
    async with _admin(brokers) as client:
        if mine := [topic for topic in await client.list_topics() if topic.startswith(prefix)]:
            await client.delete_topics(mine)
