"""Clients of Kafka: every consumer, producer and admin client of ours is built here."""

from collections.abc import Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

from notistream.kafka.connection import Kafka

REQUEST_TIMEOUT_MS = 5_000


def consumer(kafka: Kafka, **options: Any) -> AIOKafkaConsumer:
    """A consumer without a group, which commits nothing; `options` are aiokafka's."""
    return AIOKafkaConsumer(
        **kafka.options, **{"group_id": None, "enable_auto_commit": False, **options}
    )


def producer(kafka: Kafka, **options: Any) -> AIOKafkaProducer:
    """A producer whose records count once all in-sync replicas have them."""
    return AIOKafkaProducer(**kafka.options, acks="all", **options)


def admin(kafka: Kafka, *, request_timeout_ms: int = REQUEST_TIMEOUT_MS) -> AIOKafkaAdminClient:
    """An admin client."""
    return AIOKafkaAdminClient(**kafka.options, request_timeout_ms=request_timeout_ms)


async def described_topics(client: AIOKafkaAdminClient) -> Sequence[Mapping[str, Any]]:
    """All topics, with their partitions.

    Asking for one by name could create it, with the broker's own number of partitions.
    """
    found: Sequence[Mapping[str, Any]] = await client.describe_topics(None)
    return found
