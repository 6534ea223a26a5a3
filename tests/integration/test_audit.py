"""The audit on a real database and a real broker: what is forgotten is found and woken, what waits
is left alone.
"""

import asyncio
import json
import sys
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from uuid_utils.compat import uuid7

from notistream.db import audit as stored
from notistream.db import audit_log, deliveries, notifications, tenants
from notistream.db.audit import Window
from notistream.db.pool import Database
from notistream.delivery.ports import Turn
from notistream.domain.notification import NewNotification, Priority
from notistream.kafka import topics
from notistream.kafka.connection import Kafka
from notistream.kafka.outbox import outbox_entries
from notistream.kafka.positions import Positions
from notistream.observability import metrics
from notistream.recording.audit import Audit
from notistream.settings.model import Settings
from tests.receiver import receiver
from tests.stack import ROOT, stack, until

pytestmark = pytest.mark.integration
LEASE = timedelta(seconds=30)
PARTITIONS = 2


class World:
    """A tenant, topics, and a hand on both ends of them."""

    def __init__(self, db, tenant_id, brokers, prefix, producer):
        self.db = db
        self.tenant_id = tenant_id
        self.brokers = brokers
        self.prefix = prefix
        self._producer = producer
        self.positions = Positions(kafka=Kafka(brokers), prefix=prefix, group=prefix)
        self.audit = Audit(db, self.positions, lease=LEASE)

    async def create(self, count=1, **fields):
        """Accept some and let them grow ten minutes old; their ids."""
        defaults = {
            "tenant_id": self.tenant_id,
            "channel": "sms",
            "priority": Priority.HIGH,
            "recipient_id": None,
            "content": "hi",
        }
        new = [
            NewNotification(
                **{"id": uuid7(), "recipient": f"+9050000000{i:02}", **defaults, **fields}
            )
            for i in range(count)
        ]
        await notifications.create(self.db, new, window=timedelta(days=7))
        await self.age([n.id for n in new])
        return [n.id for n in new]

    async def age(self, ids):
        await self.db.fetch(
            "UPDATE notifications SET queued_at = queued_at - interval '10 minutes',"
            " updated_at = updated_at - interval '10 minutes' WHERE id = ANY ($1)",
            ids,
        )

    async def publish(self):
        """What the relay does."""
        rows = await self.db.fetch("DELETE FROM outbox RETURNING id, topic, messages")
        for entry in outbox_entries([(row["id"], row["topic"], row["messages"]) for row in rows]):
            for record in entry.records:
                await self._producer.send_and_wait(
                    f"{self.prefix}.{entry.topic}", record.value, key=record.key
                )

    async def acknowledge_all(self):
        """Move the group past everything, whether or not anybody has read it."""
        spans = await self.positions.unacknowledged()
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.brokers, group_id=self.prefix, enable_auto_commit=False
        )
        await consumer.start()
        try:
            places = {
                TopicPartition(f"{self.prefix}.{t}", p): span.end
                for (t, p), span in spans.items()
                if span.end
            }
            consumer.assign(list(places))
            await consumer.commit(places)
        finally:
            await consumer.stop()

    async def delete_records(self):
        spans = await self.positions.unacknowledged()
        admin = AIOKafkaAdminClient(bootstrap_servers=self.brokers)
        await admin.start()
        try:
            await admin.delete_records(
                {
                    TopicPartition(f"{self.prefix}.{t}", p): RecordsToDelete(before_offset=span.end)
                    for (t, p), span in spans.items()
                    if span.end
                }
            )
        finally:
            await admin.close()
        await self.positions.close()  # it keeps the beginnings for some seconds

    async def run(self, **options):
        now = datetime.now(UTC)
        return await self.audit.run(Window(now - timedelta(days=1), now), **options)

    async def missing(self, **options):
        return {m.id: m for m in (await self.run(**options)).listed}

    async def row(self, notification_id):
        (row,) = await self.db.fetch("SELECT * FROM notifications WHERE id = $1", notification_id)
        return row


@pytest.fixture
async def world(database_url, endpoints, topics_prefix):
    brokers = endpoints.kafka_brokers
    settings = Settings(_env_file=None, topic_prefix=topics_prefix, topic_partitions=PARTITIONS)
    await topics.ensure(Kafka(brokers), settings)
    db = Database(database_url, size=6, name="test")
    tenant, _ = await tenants.create(db, "default")
    producer = AIOKafkaProducer(bootstrap_servers=brokers)
    await producer.start()
    here = World(db, tenant.id, brokers, topics_prefix, producer)
    yield here
    await here.positions.close()
    await producer.stop()
    await db.close()


async def test_nothing_is_reported_while_a_backlog_waits(world):
    published = await world.create(30)
    await (
        world.publish()
    )  # ten minutes late, as after an outage of Kafka: the age of the records says nothing
    in_outbox = await world.create(30)
    report = await world.run()
    assert report.listed == []
    assert (report.total("accepted"), report.total("waiting"), report.total("terminal")) == (
        60,
        60,
        0,
    )
    await world.db.fetch("DELETE FROM outbox")
    assert set(await world.missing()) == set(in_outbox)
    await world.acknowledge_all()
    assert set(await world.missing()) == {*published, *in_outbox}


async def test_a_record_of_an_earlier_seq_wakes_nobody(world):
    (notification_id,) = await world.create()
    await world.publish()
    await world.db.fetch("UPDATE notifications SET seq = 2")
    assert set(await world.missing()) == {notification_id}


async def test_a_deleted_outbox_entry_is_found_and_repaired(world):
    (lost,) = await world.create()
    await world.db.fetch("DELETE FROM outbox")
    found = await world.missing()
    assert (found[lost].status, found[lost].topic, found[lost].repaired) == (
        "pending",
        "sms.high",
        False,
    )
    assert (await world.row(lost))["seq"] == 1
    report = await world.run(repair=True)
    assert (report.repaired, report.unrepaired) == (1, 0)
    assert (await world.row(lost))["seq"] == 2
    (entry,) = await world.db.fetch(
        "SELECT topic, messages, ids FROM outbox WHERE publish_after <= now()"
    )
    assert (entry["topic"], entry["ids"], entry["messages"][0][1]["seq"]) == ("sms.high", [lost], 2)
    assert await notifications.trace_steps(world.db, lost)
    (logged,) = await audit_log.list_page(world.db, limit=10)
    assert (logged.action, logged.details["ids"]) == ("audit.repair", [str(lost)])
    assert await world.missing() == {}


async def test_a_row_is_repaired_once_a_minute_then_two_then_four(world):
    (lost,) = await world.create()

    async def lose_and_repair():
        await world.db.fetch("DELETE FROM outbox")
        await world.age([lost])
        return (await world.run(repair=True)).repaired

    assert await lose_and_repair() == 1
    assert await lose_and_repair() == 0
    for minutes in (2, 4):
        await world.db.fetch("UPDATE repairs SET next_at = now()")
        assert await lose_and_repair() == 1
        (row,) = await world.db.fetch(
            "SELECT round(extract(epoch FROM next_at - now()) / 60) AS minutes FROM repairs"
        )
        assert row["minutes"] == minutes
        assert await lose_and_repair() == 0
    assert (await world.row(lost))["seq"] == 4


async def test_a_repair_changes_nothing_that_has_moved_on_meanwhile(world):
    (lost,) = await world.create()
    await world.db.fetch("DELETE FROM outbox")
    page = await stored.page(
        world.db,
        Window(datetime.now(UTC) - timedelta(days=1), datetime.now(UTC)),
        after=UUID(int=0),
        limit=10,
        lease=LEASE,
        horizons={},
    )
    assert [s.id for s in page.suspects] == [lost]
    await deliveries.claim(world.db, [Turn(lost, 1)], owner=0, lease=LEASE, call_before=1e12)
    assert await stored.still_missing(world.db, page.suspects) == frozenset()
    assert await stored.repair(world.db, page.suspects) == frozenset()
    assert (await world.row(lost))["seq"] == 1


async def test_records_deleted_on_kafka_are_found(world):
    lost = await world.create(5)
    await world.publish()
    assert await world.missing() == {}
    await world.delete_records()
    assert set(await world.missing()) == set(lost)


async def test_a_committed_offset_moved_past_records_is_found(world):
    lost = await world.create(5)
    await world.publish()
    await world.acknowledge_all()
    await world.create(5)
    await world.publish()  # what came after and waits does not hide them
    assert set(await world.missing()) == set(lost)


async def test_held_entries_and_young_rows_are_not_missing(world):
    await world.create(3)
    await world.db.fetch("UPDATE outbox SET held = true")
    young = await world.create(2, recipient="+905000000099")
    await world.db.fetch("DELETE FROM outbox WHERE NOT held")
    await world.db.fetch("UPDATE notifications SET queued_at = now() WHERE id = ANY ($1)", young)
    assert await world.missing() == {}


async def test_a_claim_without_a_lease_is_found_and_gets_one_that_has_ended(world):
    held, orphan, ended = await world.create(3)
    await world.publish()
    for notification_id in (held, orphan, ended):
        await deliveries.claim(
            world.db, [Turn(notification_id, 1)], owner=0, lease=LEASE, call_before=1e12
        )
    await world.age([held, orphan, ended])
    await world.db.fetch("DELETE FROM leases WHERE ids = ARRAY[$1::uuid]", orphan)
    await world.db.fetch(
        "UPDATE leases SET until = now() - interval '61 s' WHERE ids = ARRAY[$1::uuid]", ended
    )
    report = await world.run(repair=True)
    assert {m.id: m.repaired for m in report.listed} == {
        orphan: True,
        ended: False,
    }  # the sweeper has that one
    assert report.unrepaired == 1
    async with world.db.transaction() as db:
        leases = await deliveries.lock_ended_leases(db, limit=10)
        assert {o.id for o in await deliveries.orphans(db, leases)} == {orphan, ended}


async def test_what_waits_without_a_time_is_found_and_becomes_due(world):
    (lost,) = await world.create()
    await world.db.fetch("UPDATE notifications SET status = 'deferred'")
    assert (await world.missing(repair=True))[lost].repaired
    row = await world.row(lost)
    assert (row["status"], row["seq"]) == ("deferred", 1)
    assert row["due_at"] <= datetime.now(UTC)


async def test_counts_add_up_per_tenant_and_hour(world):
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    other, _ = await tenants.create(world.db, "other")
    ids = await world.create(10)
    await world.create(4, tenant_id=other.id)
    await world.db.fetch("UPDATE notifications SET created_at = $1", hour)
    await world.db.fetch(
        "UPDATE notifications SET status = 'delivered' WHERE id = ANY ($1)", ids[:6]
    )
    await world.db.fetch(
        "UPDATE notifications SET status = 'deferred', due_at = now() - interval '3 minutes' WHERE"
        " id = $1",
        ids[6],
    )
    await world.db.fetch(
        "UPDATE notifications SET created_at = created_at - interval '3 hours' WHERE id = $1",
        ids[9],
    )
    report = await world.run()
    lines = {(line.tenant_id, line.hour): line for line in report.hours}
    mine = lines[world.tenant_id, hour]
    assert (mine.accepted, mine.terminal, mine.waiting, mine.overdue, mine.missing) == (
        9,
        6,
        3,
        1,
        0,
    )
    assert lines[world.tenant_id, hour - timedelta(hours=3)].accepted == 1
    assert lines[other.id, hour].accepted == 4
    alone = await world.audit.run(Window(hour - timedelta(hours=1), datetime.now(UTC), other.id))
    assert [line.tenant_id for line in alone.hours] == [other.id]


async def test_pages_cover_the_window_exactly_once(world, monkeypatch):
    monkeypatch.setattr("notistream.recording.audit.PAGE", 7)
    monkeypatch.setattr("notistream.recording.audit.VERIFIED_AT_ONCE", 10)
    lost = await world.create(40)
    await world.db.fetch("DELETE FROM outbox")
    report = await world.run()
    assert (report.total("accepted"), report.total("missing"), len(report.listed)) == (40, 40, 40)
    assert {m.id for m in report.listed} == set(lost)


async def test_one_worker_audits_and_all_show_it(world):
    (lost,) = await world.create()
    await world.db.fetch("DELETE FROM outbox")
    others = [Audit(world.db, world.positions, lease=LEASE) for _ in range(2)]
    every = timedelta(hours=1)
    before = metrics.AUDIT_REPAIRED._value.get()
    await asyncio.gather(
        *(audit.keep(every=every, repair=True) for audit in [world.audit, *others])
    )
    await world.audit.keep(every=every, repair=True)
    runs = [e for e in await audit_log.list_page(world.db, limit=10) if e.action == "audit"]
    assert [(run.details["missing"], run.details["repaired"]) for run in runs] == [(0, 1)]
    assert metrics.AUDIT_REPAIRED._value.get() == before + 1
    assert metrics.AUDIT_SUCCESS._value.get() == pytest.approx(runs[0].at.timestamp())
    assert (await world.row(lost))["seq"] == 2
    await others[0].keep(every=timedelta(0), repair=True)
    assert (
        len([e for e in await audit_log.list_page(world.db, limit=10) if e.action == "audit"]) == 2
    )


@pytest.fixture
async def lost(endpoints, database_url, topics_prefix, tmp_path):
    """A product without a worker, and a notification whose outbox entry somebody deleted ten
    minutes ago.
    """
    async with (
        receiver() as ledger,
        stack(
            database_url=database_url,
            brokers=endpoints.kafka_brokers,
            prefix=topics_prefix,
            folder=tmp_path,
            WEBHOOK_URL=ledger.url,
        ) as product,
    ):
        await product.api(
            KAFKA_BROKERS="127.0.0.1:1"
        )  # so that the entry stays until it is deleted
        notification_id = await product.create()
        db = Database(database_url, size=2, name="test")
        await db.fetch("DELETE FROM outbox")
        await db.fetch("UPDATE notifications SET queued_at = queued_at - interval '10 minutes'")
        yield product, ledger, notification_id
        await db.close()


async def cli(product, *command):
    """Exit status and output of a command."""
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "notistream",
        *command,
        cwd=ROOT,
        env=product._env,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, _ = await child.communicate()
    return child.returncode, out.decode()


async def test_the_command_finds_what_was_forgotten_and_repair_delivers_it(lost):
    product, ledger, notification_id = lost
    await product.worker(AUDIT_REPAIR="false")
    status, out = await cli(product, "audit")
    assert (status, notification_id in out) == (1, True)
    status, out = await cli(
        product, "audit", "--json", "--since", "1h", "--tenant", "default", "--repair"
    )
    report = json.loads(out)
    assert (status, report["missing"], report["repaired"], report["accepted"]) == (0, 1, 1, 1)
    assert report["missing_notifications"][0]["id"] == notification_id
    assert (await product.ended(notification_id))["status"] == "delivered"
    assert ledger.accepted == {notification_id: 1}
    assert "audit" in [
        step["gate"]
        for step in (await product.call("GET", f"/api/v1/notifications/{notification_id}/trace"))[
            1
        ]["steps"]
    ]
    status, out = await cli(product, "audit")
    assert (status, "1 ended + 0 waiting + 0 missing" in out) == (0, True)
    assert (await cli(product, "audit", "--tenant", "nobody"))[0] == 1
    assert (await cli(product, "audit", "--since", "soon"))[0] == 2


async def test_a_worker_finds_and_repairs_it_on_its_own(lost):
    product, ledger, notification_id = lost
    worker = await product.worker(AUDIT_INTERVAL_S="1")
    assert (await product.ended(notification_id))["status"] == "delivered"
    assert await product.metric(worker, "notistream_audit_repaired_total") == 1

    async def shown():
        return await product.metric(worker, "notistream_audit_last_success_timestamp_seconds")

    await until(shown, what="the gauges to show an audit")
    assert await product.metric(worker, "notistream_audit_missing") == 0
    assert ledger.accepted == {notification_id: 1}
