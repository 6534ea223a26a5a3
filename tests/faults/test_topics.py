"""Foreign hands on the topics: poison, offsets set back, replays of everything at once."""

import asyncio
import json
import uuid

import pytest

from tests.faults.kafka import position, put, rewind
from tests.faults.oracle import judge, quiet
from tests.faults.sizes import FULL, sized
from tests.stack import messages, until

ADMIN = {"X-Admin-Token": "test-admin-token-0123456789"}
UNKNOWN_ID = "01a20450-6039-768f-8b5f-5bb84f5117b6"


async def test_offsets_set_back_to_the_beginning_send_nothing_again(sites, report):
    count = sized(200, 5000)
    async with sites() as site:
        worker = await site.product.worker()
        await site.load.in_batches(messages(count))
        await quiet(site)
        await site.kill(worker)
        await until(lambda: gone(site), what="Kafka to forget the worker")
        worker = await site.replace(worker)
        await until(
            lambda: all_acknowledged(site, "sms.normal"), what="everything to be read again"
        )
        verdict = await judge(site, duplicates=0)
        assert len(site.ledger.calls) == count
        report("the group's offsets set to 0", "everything delivered before", verdict)


async def gone(site):
    """Offsets of a group are changed by others only while it has no members: a killed one is missed
    after a while.
    """
    from aiokafka.errors import KafkaError

    try:
        await rewind(site.brokers, site.prefix, ["sms.normal"])
    except KafkaError:
        return False
    return True


async def all_acknowledged(site, topic):
    return (await position(site.brokers, site.prefix, topic)).lag == 0


async def test_dead_letters_replayed_three_times_at_once_while_the_worker_dies(sites, report):
    count = sized(60, 500)
    async with sites() as site:
        refusing = True
        site.ledger.answer = lambda _: (400, {}) if refusing else (202, {})
        worker = await site.product.worker()
        await site.load.batch(messages(count))
        await quiet(site)
        refusing = False
        answers = await asyncio.gather(*(replay(site) for _ in range(3)))
        assert sum(answers) == count
        await site.kill(worker)
        await site.replace(worker)
        verdict = await judge(site, duplicates=64)
        chains = await site.query("SELECT DISTINCT chain FROM notifications")
        assert [row[0] for row in chains] == [2]
        assert len(site.ledger.accepted) == count
        report(
            "a replay of all dead letters, three at once, kill -9", f"{count} dead letters", verdict
        )


async def replay(site):
    status, answer = await site.product.call("POST", "/internal/dlq/replay", {}, headers=ADMIN)
    assert status in (200, 202), answer
    return answer["replayed"]


@pytest.mark.skipif(
    not FULL, reason="test_poison_is_buried_and_its_neighbours_are_delivered is the quick one"
)
async def test_a_hundred_poisonous_records_among_a_thousand(sites, report):
    good, rounds = sized(100, 1000), sized(2, 20)
    shapes = [
        b"{bad",
        b'"text"',
        None,
        b"x" * 900_000,
        json.dumps({"v": 9, "id": UNKNOWN_ID, "seq": 1}).encode(),
    ]
    async with sites() as site:
        worker = await site.product.worker()
        topic = f"{site.prefix}.sms.normal"
        poison = [(uuid.uuid4().bytes, shape) for _ in range(rounds) for shape in shapes]
        stray = [
            (uuid.uuid4().bytes, json.dumps({"v": 1, "id": UNKNOWN_ID, "seq": 1}).encode())
        ] * 3
        await site.meanwhile(
            site.load.in_batches(messages(good), size=100),
            put(site.brokers, topic, [*poison, *stray]),
        )
        verdict = await judge(site, duplicates=0)
        await until(lambda: buried(site, len(poison)), what="the poison to be buried")
        await until(
            lambda: all_acknowledged(site, "sms.normal"), what="every record to be acknowledged"
        )
        assert worker.alive
        report(
            "poison straight into a topic",
            f"{len(poison)} records that cannot be read, 3 of unknown ids",
            verdict,
        )


async def buried(site, count):
    (row,) = await site.query(
        "SELECT count(*) FROM dead_letters WHERE notification_id IS NULL AND reason <> ''"
    )
    return row[0] == count
