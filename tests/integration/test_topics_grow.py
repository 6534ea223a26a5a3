"""More partitions under a running installation: what was sent before, meanwhile and after all
arrives, once.
"""

import signal

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from notistream.kafka.topic_names import CHANGELOGS, TOPICS
from notistream.kafka.topics import DEFAULT_PARTITIONS
from tests.receiver import Receiver
from tests.stack import Stack, messages

pytestmark = [pytest.mark.integration, pytest.mark.full]
Running = tuple[Stack, Receiver]


async def partitions(brokers: str, prefix: str) -> dict[str, int]:
    admin = AIOKafkaAdminClient(bootstrap_servers=brokers)
    await admin.start()
    try:
        described = await admin.describe_topics(None)
    finally:
        await admin.close()
    return {t["topic"]: len(t["partitions"]) for t in described if t["topic"].startswith(prefix)}


async def test_everything_sent_before_meanwhile_and_after_arrives_once(
    running: Running, endpoints, topics_prefix: str
) -> None:
    product, receiver = running
    worker = await product.worker()
    first = await product.batch(messages(50))
    await product.batch_ended(first)
    with pytest.raises(AssertionError, match="stop the workers first: slot 0 still runs"):
        await product.run("topics", "--grow", "5")
    await worker.kill(signal.SIGTERM)

    waiting = await product.batch(messages(200, start=100))
    said = await product.run("topics", "--grow", "5")
    assert "NOTISTREAM_TOPIC_PARTITIONS=5" in said
    there = await partitions(endpoints.kafka_brokers, topics_prefix)
    assert set(there.values()) == {5}
    assert len(there) == len(TOPICS) + len(CHANGELOGS)
    assert "already" in await product.run("topics", "--grow", "5")
    meanwhile = await product.batch(
        messages(200, start=100)
    )  # by an API that knows nothing of it yet

    assert product.processes[0].role == "api"
    await product.processes.pop(0).kill()
    await product.api(TOPIC_PARTITIONS="5")
    after = await product.batch(messages(200, start=100))
    await product.worker(TOPIC_PARTITIONS="5")
    for batch in (waiting, meanwhile, after):
        ended = await product.batch_ended(batch)
        assert (ended["delivered_count"], ended["total_count"]) == (200, 200)
    assert len(receiver.accepted) == 650
    assert receiver.duplicates == 0


async def test_topics_do_not_shrink(running: Running, topics_prefix: str) -> None:
    product, _ = running
    await product.run("topics")
    with pytest.raises(AssertionError, match="has 2 partitions"):
        await product.run("topics", "--grow", "1")


async def test_a_worker_with_the_old_setting_is_refused_and_says_why(running: Running) -> None:
    product, _ = running
    await product.run("topics", "--grow", "3")
    worker = await product.launch("worker")
    assert worker.child is not None
    assert await worker.child.wait() != 0
    assert "Set NOTISTREAM_TOPIC_PARTITIONS" in worker.tail()


@pytest.mark.parametrize(("existing", "expected"), [(None, DEFAULT_PARTITIONS), (8, 8)])
async def test_without_the_setting_a_worker_takes_what_the_topics_have(
    running: Running, endpoints, topics_prefix: str, tmp_path, existing: int | None, expected: int
) -> None:
    """An installation of a version whose default was 8 upgrades by a restart.

    The worker makes its state folder, whatever is missing of its path.
    """
    product, receiver = running
    if existing is not None:
        await product.run("topics", "--grow", str(existing))
    await product.worker(TOPIC_PARTITIONS="", STATE_DIR=str(tmp_path / "new" / "state"))
    there = await partitions(endpoints.kafka_brokers, topics_prefix)
    assert set(there.values()) == {expected}
    ended = await product.batch_ended(await product.batch(messages(40)))
    assert ended["delivered_count"] == 40
    assert receiver.duplicates == 0
