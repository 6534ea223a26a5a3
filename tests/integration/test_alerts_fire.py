"""On bad days of a real stack, scraped by a real Prometheus, alert expressions turn true.

On a good day none is.
"""

import asyncio
import shutil

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer

from notistream.db import migrate
from tests.prometheus import watching
from tests.receiver import receiver
from tests.services import dedicated_services
from tests.stack import messages, stack, until

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(shutil.which("prometheus") is None, reason="prometheus is not installed"),
]


async def quiet(prometheus):
    """Wait for the first audit, until which it counts as not run; nothing else may be true."""

    async def nothing():
        return not await prometheus.true()

    await until(nothing, what="no alert to be true")


async def test_a_provider_is_away_and_then_the_worker(running, tmp_path):
    product, ledger = running
    worker = await product.worker()
    async with watching(product, tmp_path) as prometheus:
        await product.batch_ended(await product.batch(messages(20)))
        await quiet(prometheus)
        ledger.answer = lambda _call: (503, {})
        await product.batch(messages(50))
        await prometheus.becomes("BreakerOpen", "ProviderErrors")
        assert not await prometheus.true() & {
            "ScrapeDown",
            "NoWorkers",
            "HttpServerErrors",
            "OutboxStuck",
        }
        await worker.kill()
        await prometheus.becomes("ScrapeDown", "NoWorkers")


async def test_dead_letters_gather(running, tmp_path):
    product, ledger = running
    await product.worker()
    async with watching(product, tmp_path) as prometheus:
        await quiet(prometheus)
        ledger.answer = lambda _call: (400, {})
        await product.batch_ended(await product.batch(messages(15)))
        await prometheus.becomes("DeadLettersGrowing")
        assert "BreakerOpen" not in await prometheus.true(), "a refusal is not an outage"


async def test_something_floods_a_topic_with_what_cannot_be_read(
    running, tmp_path, endpoints, topics_prefix
):
    product, _ = running
    await product.worker(DLQ_LIMIT="5/hour")
    async with watching(product, tmp_path) as prometheus:
        await quiet(prometheus)
        async with AIOKafkaProducer(bootstrap_servers=endpoints.kafka_brokers) as producer:
            for _ in range(20):
                await producer.send_and_wait(
                    f"{topics_prefix}.sms.high", b"not a message", partition=0
                )
        await prometheus.becomes("LaneStopped")


async def test_kafka_is_away(tmp_path):
    with dedicated_services() as services:
        await migrate.up(services.endpoints.database_url)
        async with (
            receiver() as ledger,
            stack(
                database_url=services.endpoints.database_url,
                brokers=services.endpoints.kafka_brokers,
                prefix="t",
                folder=tmp_path,
                WEBHOOK_URL=ledger.url,
            ) as product,
        ):
            await product.api()
            await product.worker()
            async with watching(product, tmp_path) as prometheus:
                await quiet(prometheus)
                await asyncio.to_thread(services.kafka.kill)
                await product.create()
                owner = await asyncpg.connect(services.endpoints.database_url)
                await owner.execute(
                    "UPDATE outbox SET created_at = created_at - interval '2 minutes'"
                )
                await owner.close()

                async def probed():  # again and again, as compose's health check does
                    return (
                        await product._status(product.processes[0], 503)
                        and {"OutboxStuck", "NotReady"} <= await prometheus.true()
                    )

                await until(probed, what="OutboxStuck and NotReady to be true")
                assert "HttpServerErrors" not in await prometheus.true()
