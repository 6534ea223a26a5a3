"""Topics of a run: made for a bare limit, and deleted at its end, because a broker with thousands gets slow."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

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


async def delete(brokers: str, prefix: str) -> None:
    """Delete every topic whose name begins so."""
    async with _admin(brokers) as client:
        if mine := [topic for topic in await client.list_topics() if topic.startswith(prefix)]:
            await client.delete_topics(mine)
