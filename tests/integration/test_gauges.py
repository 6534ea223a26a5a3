"""Gauges with a real product: what stands still, waits, is late or dead is seen on /metrics."""

import asyncpg
import pytest

from tests.receiver import Receiver
from tests.stack import Process, Stack, messages, until

pytestmark = pytest.mark.integration


async def test_what_waits_is_seen_on_the_workers_metrics(running: tuple[Stack, Receiver]) -> None:
    product, ledger = running
    worker = await product.worker(WORKER_CONCURRENCY="1", AUDIT_INTERVAL_S="5")
    ledger.delay_s = 0.5
    batch = await product.batch(messages(40))
    sms = {"channel": "sms", "priority": "normal"}

    async def waiting() -> bool:
        return (
            await product.metric(worker, "notistream_consumer_lag_records", **sms) > 0
            and await product.metric(worker, "notistream_queue_oldest_seconds", **sms) > 0
        )

    await until(waiting, what="lag and age of the lane")
    assert await product.metric(worker, "notistream_consumer_lag_records", channel="email") == 0
    assert await product.metric(worker, "notistream_tables_recovering") == 0
    assert await product.metric(worker, "notistream_partitions_stalled") == 0
    ledger.delay_s = 0.0
    await product.batch_ended(batch)

    async def drained() -> bool:
        return (
            await product.metric(worker, "notistream_consumer_lag_records") == 0
            and await product.metric(worker, "notistream_queue_oldest_seconds") == 0
        )

    await until(drained, what="no lag")
    ledger.answer = lambda _call: (400, {})
    await product.ended(await product.create())
    await until(
        lambda: _is(product, worker, "notistream_dead_letters", 1, channel="sms"),
        what="one open dead letter",
    )


async def test_a_worker_that_does_not_get_on_ends_itself(running: tuple[Stack, Receiver]) -> None:
    """Somebody holds the rows: no claim returns, and no lane knows why."""
    product, _ = running
    batch = await product.batch(messages(20))
    holder = await asyncpg.connect(product.database_url)
    transaction = holder.transaction()
    await transaction.start()
    await holder.execute("SELECT FROM notifications FOR UPDATE")
    worker = await product.worker(WATCHDOG_S="1")
    assert worker.child is not None
    assert await worker.child.wait() == 1
    assert '"event":"partition stalled"' in worker.log.read_text()
    await transaction.rollback()
    await holder.close()
    await product.worker()
    assert (await product.batch_ended(batch))["delivered_count"] == 20


async def _is(product: Stack, process: Process, name: str, value: float, **labels: str) -> bool:
    return await product.metric(process, name, **labels) == value
