"""Dead letters with real processes: replay after a repair, a lost table, replay from a topic, the
limit that stops.
"""

import asyncio
import json
import signal
from collections import Counter

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from tests.stack import messages, until

pytestmark = pytest.mark.integration
ADMIN = {"X-Admin-Token": "test-admin-token-0123456789"}
PARTITIONS = (0, 1)
FIVE = "5/999999h"
"""A limit whose window began when the machine did, and does not end."""
POISON = [  # key, value, headers
    (
        b"\xff\x00",
        b"\x00{bad",
        [("h", b"\xfe"), ("h", b"second"), ("dlq.topic", b"of another tool")],
    ),
    (None, b"not json", []),
    (b"", b"", [("empty", b"")]),
    (b"k", None, [("none", None)]),
    (None, b'{"v":2,"id":"x"}', []),
    (b"large", b"x" * 990_000, []),
]


@pytest.fixture
async def running(running, endpoints, topics_prefix):
    """A receiver, an API, and the brokers and the prefix of its topics."""
    return *running, Kafka(endpoints.kafka_brokers, topics_prefix)


class Kafka:
    """A hand on the topics of one test."""

    def __init__(self, brokers, prefix):
        self.brokers = brokers
        self.prefix = prefix

    async def produce(self, topic, records, partition=0):
        """Write records as any other program might; the offset of the first."""
        producer = AIOKafkaProducer(bootstrap_servers=self.brokers)
        await producer.start()
        try:
            sent = [
                await producer.send_and_wait(
                    f"{self.prefix}.{topic}", value, key=key, headers=headers, partition=partition
                )
                for key, value, headers in records
            ]
            return sent[0].offset
        finally:
            await producer.stop()

    async def read(self, topic):
        """Everything on a topic, by partition."""
        found = {partition: [] for partition in PARTITIONS}
        async with self._consumer() as consumer:
            places = [TopicPartition(f"{self.prefix}.{topic}", p) for p in PARTITIONS]
            consumer.assign(places)
            await consumer.seek_to_beginning(*places)
            ends = await consumer.end_offsets(places)
            while sum(map(len, found.values())) < sum(ends.values()):
                for tp, records in (await consumer.getmany(timeout_ms=500)).items():
                    found[tp.partition] += records
        return found

    async def committed(self, topic):
        """How far the workers are, summed over the partitions."""
        async with self._consumer(group_id=self.prefix) as consumer:
            return sum(
                [
                    await consumer.committed(TopicPartition(f"{self.prefix}.{topic}", p)) or 0
                    for p in PARTITIONS
                ]
            )

    async def reset(self, topic):
        """Let the workers, of which none may run, begin the topic again."""
        places = {TopicPartition(f"{self.prefix}.{topic}", p): 0 for p in PARTITIONS}

        async def done():
            async with self._consumer(group_id=self.prefix) as consumer:
                consumer.assign(list(places))
                try:
                    await consumer.commit(places)
                except KafkaError:  # the group still counts on a member that has gone
                    return False
                return True

        await until(done, what="the group to be empty")

    def _consumer(self, **options):
        return AIOKafkaConsumer(bootstrap_servers=self.brokers, enable_auto_commit=False, **options)


async def admin(product, method, path, body=None, status=200):
    found, answer = await product.call(method, path, body, headers=ADMIN)
    assert found == status, answer
    return answer


async def rows(product):
    connection = await asyncpg.connect(product.database_url)
    try:
        return [
            dict(row) for row in await connection.fetch("SELECT * FROM dead_letters ORDER BY id")
        ]
    finally:
        await connection.close()


async def execute(product, query, *args):
    connection = await asyncpg.connect(product.database_url)
    try:
        await connection.execute(query, *args)
    finally:
        await connection.close()


async def test_once_the_receiver_is_repaired_each_arrives_once_and_a_second_replay_sends_nothing(
    running,
):
    product, ledger, _ = running
    ledger.answer = lambda _call: (400, {})
    await product.worker()
    failing = await product.batch(messages(1000, priority="low"))
    assert (await product.batch_ended(failing))["failed_count"] == 1000
    ledger.answer = lambda _call: (202, {})
    sent_before = len(ledger.calls)
    would = await admin(product, "POST", "/internal/dlq/replay", {"dry_run": True})
    assert (would["matched"], would["replayed"], [k["count"] for k in would["kinds"]]) == (
        1000,
        0,
        [1000],
    )
    assert "400" in would["kinds"][0]["reason"]
    assert len(ledger.calls) == sent_before
    first = await asyncio.gather(
        *(admin(product, "POST", "/internal/dlq/replay", {}) for _ in range(3))
    )
    assert sum(answer["replayed"] for answer in first) == 1000
    assert (await product.batch_ended(failing))["delivered_count"] == 1000
    assert (len(ledger.accepted), ledger.duplicates) == (1000, 0)
    again = await admin(product, "POST", "/internal/dlq/replay", {})
    assert (again["matched"], again["replayed"]) == (0, 0)
    page = await admin(product, "GET", "/internal/dlq?page_size=100")
    assert {entry["status"] for entry in page["data"]} == {"replayed"}
    assert page["next_cursor"] is not None
    for entry in page["data"][:20]:
        assert (await admin(product, "POST", f"/internal/dlq/{entry['id']}/replay"))[
            "status"
        ] == "replayed"
    later = await product.create(recipient="+905999999999")
    assert (await product.ended(later))["status"] == "delivered"
    assert (len(ledger.accepted), ledger.duplicates) == (1001, 0)


async def test_a_replayed_message_that_fails_again_returns_with_its_history(running):
    product, ledger, _ = running
    ledger.answer = lambda _call: (400, {})
    await product.worker()
    one = await product.create()
    await product.ended(one)
    (entry,) = (await admin(product, "GET", "/internal/dlq?unreplayed=true"))["data"]
    assert entry["notification_id"] == one
    assert entry["topic"].endswith(".sms.normal")
    assert (entry["partition"] in PARTITIONS, entry["offset"] >= 0) == (True, True)
    ledger.answer = lambda _call: (410, {})
    await admin(product, "POST", f"/internal/dlq/{entry['id']}/replay")

    async def returned():
        return (await admin(product, "GET", "/internal/dlq?unreplayed=true"))["data"]

    (second,) = await until(returned, what="the second dead letter")
    assert (second["chain"], second["notification_id"]) == (2, one)
    whole = await admin(product, "GET", f"/internal/dlq/{second['id']}")
    assert [(c["chain"], c["outcome"], c["error"][:8]) for c in whole["history"]] == [
        (1, "permanent", "HTTP 400"),
        (2, "permanent", "HTTP 410"),
    ]
    assert [call["key"] for call in ledger.calls] == [one, f"{one}:2"]
    await admin(product, "DELETE", f"/internal/dlq/{second['id']}", status=204)
    await admin(product, "GET", f"/internal/dlq/{second['id']}", status=404)


async def test_resetting_the_offsets_rebuilds_a_lost_table_without_duplicates_and_byte_for_byte(
    running,
):
    product, ledger, kafka = running
    ledger.answer = lambda _call: (400, {})
    worker = await product.worker()
    await product.batch_ended(await product.batch(messages(150)))
    await kafka.produce("sms.high", POISON)
    count = 150 + len(POISON)
    await kafka.produce("sms.dlq", [(b"stray", b"neither form", [("a", b"\xff")])], partition=1)

    async def kept():
        return await kafka.committed("sms.dlq") >= count + 1

    await until(kept, what="the dead-letter agent to be through")
    before = await rows(product)
    assert len(before) == count + 1
    assert (
        await product.metric(
            worker, "notistream_dead_letters_read_total", channel="sms", found="known"
        )
        == count
    )
    assert await product.metric(worker, "notistream_dead_letters_read_total", found="restored") == 0
    gone = before[5]["id"]
    await admin(product, "DELETE", f"/internal/dlq/{gone}", status=204)
    before = await rows(product)
    await worker.kill(signal.SIGTERM)
    await execute(product, "DELETE FROM dead_letters WHERE id <> $1", gone)
    await kafka.reset("sms.dlq")
    worker = await product.worker()
    await until(kept, what="the topic to be read again")
    after = await rows(product)
    assert len(after) == count + 1
    assert [_lasting(row) for row in after] == [_lasting(row) for row in before]
    assert (
        await product.metric(worker, "notistream_dead_letters_read_total", found="restored")
        == count - 1
    )


def _lasting(row):
    """An undecodable record's moment comes from Kafka after a rebuild."""
    return {**row, "created_at": None} if row["notification_id"] is None else row


async def test_undecodable_records_go_back_byte_for_byte_by_id_and_from_the_topic(running):
    product, _, kafka = running
    await product.worker()
    first = await kafka.produce("sms.high", POISON, partition=1)

    async def buried():
        found = (
            await admin(
                product, "GET", "/internal/dlq?channel=sms&reason=undecodable&page_size=100"
            )
        )["data"]
        return found if len(found) == len(POISON) else None

    found = await until(buried, what="the poison to be buried")
    assert sorted(entry["offset"] for entry in found) == list(range(first, first + len(POISON)))
    smallest = min(found, key=lambda entry: entry["offset"])
    await admin(product, "POST", f"/internal/dlq/{smallest['id']}/replay")

    async def counted(wanted):
        return sum(map(len, (await kafka.read("sms.high")).values())) == wanted

    await until(lambda: counted(len(POISON) + 1), what="the record to be produced again")
    await until(
        lambda: _is_read(kafka, "sms.dlq", len(POISON) + 1), what="the record to be buried again"
    )
    by_partition = await kafka.read("sms.dlq")
    replayed = 0
    for partition, records in by_partition.items():
        if records:
            out = await product.run(
                "dlq",
                "replay",
                "--topic",
                f"{kafka.prefix}.sms.dlq",
                "--partition",
                str(partition),
                "--from",
                "0",
                "--to",
                str(len(records) - 1),
                "--json",
            )
            replayed += json.loads(out.splitlines()[-1])["produced"]
    assert replayed == len(POISON) + 1
    back = [
        (r.key, r.value, list(r.headers))
        for records in (await kafka.read("sms.high")).values()
        for r in records
    ]
    assert Counter(map(repr, back)) == Counter(
        {repr(record): 4 if record == POISON[0] else 2 for record in POISON}
    )


async def _is_read(kafka, topic, count):
    return await kafka.committed(topic) >= count


async def test_topic_replay_queues_failed_deliveries_again_and_wakes_nobody_twice(running):
    product, ledger, kafka = running
    ledger.answer = lambda _call: (400, {})
    await product.worker()
    batch = await product.batch(messages(60))
    assert (await product.batch_ended(batch))["failed_count"] == 60
    await until(lambda: _is_read(kafka, "sms.dlq", 60), what="the dead letters to be published")
    ledger.answer = lambda _call: (202, {})
    ends = {p: len(records) for p, records in (await kafka.read("sms.dlq")).items()}

    async def replay(topic, partition, last, *more):
        out = await product.run(
            "dlq",
            "replay",
            "--topic",
            topic,
            "--partition",
            str(partition),
            "--from",
            "0",
            "--to",
            str(last),
            "--json",
            *more,
        )
        return json.loads(out.splitlines()[-1])

    for partition, end in ends.items():
        assert (await replay("sms.dlq", partition, end - 1, "--dry-run"))["replayed"] == end
        half = await replay("sms.dlq", partition, end // 2 - 1) if end > 1 else {"replayed": 0}
        assert half["replayed"] == (end // 2 if end > 1 else 0)
    await product.run("dlq", "replay", "--all")
    assert (await product.batch_ended(batch))["delivered_count"] == 60
    for partition, end in ends.items():  # the wake-ups once more: stale, so they are dropped
        again = await replay("sms.normal", partition, 10_000)
        assert (again["replayed"], again["skipped"]) == (0, {})
        assert again["produced"] >= end
    later = await product.create(recipient="+905999999999")
    assert (await product.ended(later))["status"] == "delivered"
    assert (len(ledger.accepted), ledger.duplicates) == (61, 0)


async def test_a_flood_of_bad_records_stops_its_lane_and_says_so(running):
    product, ledger, kafka = running
    worker = await product.worker(DLQ_LIMIT=FIVE)
    await kafka.produce("sms.high", [(b"k", b"bad %d" % i, []) for i in range(20)])

    async def stopped():
        return await product.metric(worker, "notistream_lane_stopped", channel="sms") == 1

    await until(stopped, what="the lane to stop")
    behind = [
        await product.create(recipient=f"+90500000{i:04}", priority="high") for i in range(20)
    ]
    others = [
        await product.create(priority="normal"),
        await product.create(channel="push", recipient="t"),
    ]
    for one in others:
        assert (await product.ended(one))["status"] == "delivered"
    assert len(await rows(product)) == 5
    assert await product.metric(worker, "notistream_lane_stopped", channel="push") == 0
    assert await kafka.committed("sms.high") <= 5
    await product.ready(worker)
    assert "lane stopped" in worker.log.read_text()
    assert await worker.kill(signal.SIGTERM) == 0
    await product.worker(DLQ_LIMIT="0")
    for one in behind:
        assert (await product.ended(one))["status"] == "delivered"
    await until(lambda: _has_rows(product, 20), what="the rest to be buried")
    assert ledger.duplicates == 0


async def _has_rows(product, count):
    return len(await rows(product)) == count


async def test_a_stopped_lane_lets_its_partitions_go_at_once(running):
    product, _, kafka = running
    first = await product.worker(DLQ_LIMIT=FIVE)
    for partition in PARTITIONS:
        await kafka.produce(
            "sms.high", [(b"k", b"bad %d" % i, []) for i in range(20)], partition=partition
        )
    await until(lambda: _has_rows(product, 5), what="the lane to stop")
    second = await product.worker(
        1, DLQ_LIMIT=FIVE
    )  # is ready only when both agree who has which partition
    await product.ready(first)
    assert 5 <= len(await rows(product)) <= 10
    for each in (first, second):
        assert await each.kill(signal.SIGTERM) == 0


async def test_a_lane_that_stopped_goes_on_by_itself(running):
    product, _, kafka = running
    worker = await product.worker(DLQ_LIMIT="8/1s")
    await kafka.produce("sms.high", [(b"k", b"bad %d" % i, []) for i in range(20)])
    good = await product.create(priority="high")
    await until(lambda: _has_rows(product, 20), what="all to be buried, eight a second")
    assert (await product.ended(good))["status"] == "delivered"
    assert await product.metric(worker, "notistream_lane_stopped", channel="sms") == 0
    assert "lane stopped" in worker.log.read_text()


async def test_the_command_line(running):
    product, ledger, _ = running
    ledger.answer = lambda _call: (400, {})
    await product.worker()
    one, two = await product.create(), await product.create(channel="push", recipient="tok")
    for each in (one, two):
        await product.ended(each)
    listed = json.loads((await product.run("dlq", "list", "--json")).splitlines()[-1])
    assert {entry["notification_id"] for entry in listed} == {one, two}
    pushed = next(entry for entry in listed if entry["channel"] == "push")
    assert pushed["id"] in await product.run(
        "dlq", "list", "--channel", "push", "--reason", "http 400", "--waiting"
    )
    shown = json.loads((await product.run("dlq", "show", pushed["id"], "--json")).splitlines()[-1])
    assert (shown["notification_status"], len(shown["history"])) == ("failed", 1)
    assert "HTTP 400" in await product.run("dlq", "show", pushed["id"])
    assert "1 waiting, 0 replayed" in await product.run(
        "dlq", "replay", "--channel", "push", "--dry-run"
    )
    ledger.answer = lambda _call: (202, {})
    assert "replayed" in await product.run("dlq", "replay", pushed["id"])
    assert (await product.ended(two))["status"] == "delivered"
    assert "1 deleted" in await product.run(
        "dlq", "delete", *(e["id"] for e in listed if e["channel"] == "sms")
    )
    assert "0 waiting, 0 replayed" in await product.run("dlq", "replay", "--all")
    with pytest.raises(AssertionError, match="there is no dead letter"):  # exit status 1
        await product.run("dlq", "replay", one)
    with pytest.raises(AssertionError, match="is not a topic of ours"):
        await product.run(
            "dlq", "replay", "--topic", "x", "--partition", "0", "--from", "0", "--to", "1"
        )
    assert (len(ledger.accepted), ledger.duplicates) == (1, 0)
