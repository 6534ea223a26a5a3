"""Webhooks with real processes: from a record on Kafka, or an entry of the outbox, to a receiver
that verifies.
"""

import signal
from collections import Counter
from datetime import UTC, datetime
from uuid import uuid4

import asyncpg
import orjson
import pytest
from aiokafka import AIOKafkaProducer

from tests.hooks import LOOPBACK, hooks
from tests.stack import stack, until

pytestmark = pytest.mark.integration
BASE = "/api/v1/webhooks"
ADMIN = {"X-Admin-Token": "test-admin-token-0123456789"}
POISON = [None, b"", b"{", b"null", b'{"v":1}', b'{"v":2,"tenant_id":"x","events":[]}']
EVENT = """jsonb_build_object('id', gen_random_uuid(), 'type', 'notification.delivered', 'at',
    now(), 'data',
    jsonb_build_object('notification_id', $2::uuid, 'status', 'delivered', 'channel', 'sms',
        'priority', 'high',
        'recipient_id', 'u-1', 'attempts', 1, 'chain', 1, 'provider', 'console'))"""


class World:
    """A stack, its database, and a hand on its topic `events`."""

    def __init__(self, product, receiver, connection, brokers, prefix):
        self.product = product
        self.receiver = receiver
        self.connection = connection
        self.brokers = brokers
        self.topic = f"{prefix}.events"

    async def register(self, **fields):
        status, made = await self.product.call(
            "POST", BASE, {"url": self.receiver.url + "/hook", **fields}
        )
        assert status == 201, made
        return made

    async def tenant_id(self):
        return await self.connection.fetchval("SELECT id FROM tenants WHERE name = 'default'")

    async def record(self, *types):
        """A record as `finish` leaves it: events of a tenant, oldest first."""
        now = datetime.now(UTC).isoformat()
        return orjson.dumps(
            {
                "v": 1,
                "tenant_id": str(await self.tenant_id()),
                "events": [
                    {
                        "id": str(uuid4()),
                        "type": kind,
                        "at": now,
                        "data": {"recipient_id": "u-1", "nul": "a\0b"},
                    }
                    for kind in types
                ],
            }
        )

    async def produce(self, *values):
        producer = AIOKafkaProducer(bootstrap_servers=self.brokers)
        await producer.start()
        try:
            for value in values:
                await producer.send_and_wait(self.topic, value, key=b"t", partition=0)
        finally:
            await producer.stop()

    async def statuses(self):
        return Counter(
            row["status"]
            for row in await self.connection.fetch("SELECT status FROM webhook_deliveries")
        )


@pytest.fixture
async def world(endpoints, database_url, topics_prefix, tmp_path):
    connection = await asyncpg.connect(database_url)
    async with (
        hooks() as receiver,
        stack(
            database_url=database_url,
            brokers=endpoints.kafka_brokers,
            prefix=topics_prefix,
            folder=tmp_path,
            WEBHOOK_ALLOW_NETWORKS=LOOPBACK,
        ) as product,
    ):
        await product.api()
        yield World(product, receiver, connection, endpoints.kafka_brokers, topics_prefix)
    await connection.close()


async def test_a_record_on_kafka_becomes_one_signed_call_however_often_it_is_read(world):
    worker = await world.product.worker()
    endpoint = await world.register()
    record = await world.record(
        "notification.delivered", "notification.processing", "notification.failed"
    )
    last = await world.record("notification.expired")
    await world.produce(*POISON, record, record, *POISON, record, last)
    await until(lambda: len(world.receiver.calls) >= 3, what="three calls")
    await until(lambda: _all(world, 3), what="all recorded")
    for call in world.receiver.calls:
        call.verify(endpoint["secret"])
        assert call.json["data"] == {"recipient_id": "u-1", "nul": "ab"}
    assert Counter(call.json["type"] for call in world.receiver.calls) == {
        "notification.delivered": 1,
        "notification.failed": 1,
        "notification.expired": 1,
    }
    buried = await world.connection.fetch(
        "SELECT value, reason FROM dead_letters WHERE topic = $1", world.topic
    )
    assert Counter(row["value"] or b"" for row in buried) == Counter(
        [*[v or b"" for v in POISON] * 2]
    )
    assert all(row["reason"].startswith("undecodable: ") for row in buried)
    assert await world.product.metric(worker, "notistream_webhook_queued_total") == 3
    assert (
        await world.product.metric(worker, "notistream_webhook_calls_total", outcome="delivered")
        == 3
    )


async def _all(world, count):
    return await world.statuses() == {"delivered": count}


async def test_what_a_transaction_leaves_in_the_outbox_is_told(world):
    await world.product.worker()
    endpoint = await world.register(events=["notification.delivered"])
    tenant, notification = await world.tenant_id(), uuid4()
    entry = await world.connection.fetchval(
        f"SELECT id FROM tell(ARRAY[$1::uuid], ARRAY[{EVENT}])", tenant, notification
    )
    await world.connection.execute("UPDATE outbox SET publish_after = now() WHERE id = $1", entry)
    await until(lambda: world.receiver.calls, what="the call")
    (call,) = world.receiver.calls
    call.verify(endpoint["secret"])
    assert call.json["type"] == "notification.delivered"
    assert call.json["data"] == {
        "notification_id": str(notification),
        "status": "delivered",
        "channel": "sms",
        "priority": "high",
        "recipient_id": "u-1",
        "attempts": 1,
        "chain": 1,
        "provider": "console",
    }


async def test_a_worker_that_dies_in_a_call_is_followed_by_one_that_repeats_it_under_the_same_id(
    world,
):
    first = await world.product.worker(0)
    await world.register()
    world.receiver.slow = lambda _: True
    await world.produce(await world.record("notification.failed"))
    await until(lambda: world.receiver.calls, what="the first call")
    await first.kill(signal.SIGKILL)
    world.receiver.gate.set()
    second = await world.product.worker(1)
    assert len(world.receiver.calls) == 1, "the lease holds"
    await world.connection.execute("UPDATE webhook_deliveries SET due_at = now()")
    await until(lambda: _all(world, 1), what="the second call")
    assert len({call.id for call in world.receiver.calls}) == 1
    assert len(world.receiver.calls) == 2
    assert await world.product.metric(second, "notistream_webhook_possible_duplicates_total") == 1


async def test_a_retry_falls_due_without_anybody_asking_and_a_redelivery_comes_from_the_api(world):
    await world.product.worker()
    endpoint = await world.register()
    world.receiver.answer = lambda _: (503 if len(world.receiver.calls) == 1 else 204, {}, "")
    _, queued = await world.product.call("POST", f"{BASE}/{endpoint['id']}/test")
    await until(lambda: _all(world, 1), what="the retry after five seconds")
    status, answer = await world.product.call(
        "POST", f"{BASE}/{endpoint['id']}/redeliver", {"delivery_id": queued["id"]}
    )
    assert (status, answer) == (202, {"count": 1})
    await until(lambda: len(world.receiver.calls) == 3, what="the redelivery")
    assert {call.id for call in world.receiver.calls} == {queued["id"]}


async def test_a_bad_setting_stops_the_start_and_names_itself(world):
    process = await world.product.launch("worker", WEBHOOK_ALLOW_NETWORKS="10.0.0.0/33")
    await until(lambda: process.child.returncode is not None, what="the worker to stop")
    assert process.child.returncode != 0
    assert "NOTISTREAM_WEBHOOK_ALLOW_NETWORKS" in process.tail()
