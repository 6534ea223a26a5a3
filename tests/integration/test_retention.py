"""Retention on a real database: what has ended goes when its time has come, what waits never does."""

import json
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from notistream.db import inbox, retention, stats, tenants
from notistream.db.pool import Database
from notistream.domain.notification import Status
from notistream.observability import metrics
from notistream.recording.retention import Retention, spans
from notistream.settings.model import Settings
from tests.stack import stack, until

pytestmark = pytest.mark.integration
KEEP = timedelta(days=90)
NOW = datetime.now(UTC)
TERMINAL = {Status.DELIVERED, Status.FAILED, Status.CANCELLED, Status.SUPPRESSED, Status.EXPIRED}
NEW = """
INSERT INTO notifications (id, tenant_id, batch_id, channel, priority, recipient, template_id, status, due_at,
    created_at, updated_at)
VALUES ((left(first_id(now() - $1::interval)::text, 15) || substr(gen_random_uuid()::text, 16))::uuid, $2, $3, 'sms',
    'normal', '+905000000001', $4, $5, now() + interval '1 day', now() - $1::interval, now() - $6::interval)
RETURNING id
"""
AT = "(left(first_id(now() - $1::interval)::text, 15) || substr(gen_random_uuid()::text, 16))::uuid"


class World:
    """A tenant, and a hand that makes rows of any age."""

    def __init__(self, db, tenant_id):
        self.db = db
        self.tenant_id = tenant_id

    async def notification(self, status, *, days, ended=None, batch=None, template=None):
        row = await self.db.fetchrow(
            NEW,
            timedelta(days=days),
            self.tenant_id,
            batch,
            template,
            status,
            timedelta(days=days if ended is None else ended),
        )
        await self.db.fetch(
            "INSERT INTO attempts (notification_id, chain, number, started_at, outcome)"
            " VALUES ($1, 1, 1, now(), 'delivered')",
            row["id"],
        )
        await self.db.fetch(
            "INSERT INTO trace_steps (notification_id, gate, verdict, reason) VALUES ($1, 'g', 'v',"
            " 'r')",
            row["id"],
        )
        await self.db.fetch("INSERT INTO replayed VALUES (gen_random_uuid(), $1)", row["id"])
        await self.db.fetch("INSERT INTO repairs VALUES ($1, 1, now())", row["id"])
        return row["id"]

    async def dead_letter(self, notification_id, *, days=0, replayed=False):
        await self.db.fetch(
            "INSERT INTO dead_letters (id, notification_id, tenant_id, channel, reason, created_at,"
            " replayed_at) VALUES (gen_random_uuid(), $1, $2, 'sms', 'r', now() - $3::interval,"
            " CASE WHEN $4 THEN now() END)",
            notification_id,
            self.tenant_id,
            timedelta(days=days),
            replayed,
        )

    async def batch(self, *, days):
        row = await self.db.fetchrow(
            f"INSERT INTO batches (id, tenant_id, total_count, rejected_count) VALUES ({AT}, $2, 1,"
            " 0) RETURNING id",
            timedelta(days=days),
            self.tenant_id,
        )
        return row["id"]

    async def template(self, *, deleted):
        row = await self.db.fetchrow(
            "INSERT INTO templates (id, tenant_id, name, channel, deleted_at) VALUES"
            " (gen_random_uuid(), $1, $2, 'sms', now() - $3::interval) RETURNING id",
            self.tenant_id,
            str(uuid4()),
            None if deleted is None else timedelta(days=deleted),
        )
        await self.db.fetch(
            "INSERT INTO template_versions (template_id, version, body) VALUES ($1, 1, 'b')",
            row["id"],
        )
        return row["id"]

    async def left(self, table, column="id"):
        return {row[column] for row in await self.db.fetch(f"SELECT {column} FROM {table}")}

    async def run(self, *tables, **options):
        return await Retention(self.db, dict.fromkeys(tables, KEEP)).run(**options)


@pytest.fixture
async def world(database_url):
    db = Database(database_url, size=4, name="test")
    try:
        tenant, _ = await tenants.create(db, "t")
        yield World(db, tenant.id)
    finally:
        await db.close()


@pytest.mark.parametrize("status", Status)
async def test_only_what_has_ended_goes(world, status):
    old = await world.notification(status, days=91)
    await world.notification(status, days=89)
    await world.run("notifications")
    assert (old not in await world.left("notifications")) is (status in TERMINAL)
    assert len(await world.left("notifications")) == (1 if status in TERMINAL else 2)


async def test_with_a_notification_goes_all_that_tells_of_it(world):
    await world.notification("delivered", days=91)
    kept = await world.notification("delivered", days=1)
    assert await world.run("notifications") == {"notifications": 1}
    for table in ("attempts", "trace_steps", "replayed", "repairs"):
        assert await world.left(table, "notification_id") == {kept}, table


async def test_what_ended_only_lately_stays(world):
    kept = await world.notification("delivered", days=200, ended=3)
    await world.run("notifications")
    assert await world.left("notifications") == {kept}


async def test_a_dead_letter_keeps_its_notification_until_it_is_decided_on_or_goes(world):
    open_one, replayed, gone = [await world.notification("failed", days=91) for _ in range(3)]
    await world.dead_letter(open_one, days=89)
    await world.dead_letter(replayed, days=89, replayed=True)
    await world.dead_letter(gone, days=91)
    await world.run("dead_letters", "notifications")
    assert await world.left("notifications") == {open_one}
    assert await world.left("dead_letters", "notification_id") == {open_one, replayed}


async def test_a_batch_goes_with_its_last_notification(world):
    empty, waiting, recent = (
        await world.batch(days=91),
        await world.batch(days=91),
        await world.batch(days=1),
    )
    await world.notification("delivered", days=91, batch=empty)
    await world.notification("delivered", days=91, batch=waiting)
    await world.notification("deferred", days=91, batch=waiting)
    await world.run("notifications", "batches")
    assert await world.left("batches") == {waiting, recent}


async def test_a_deleted_template_goes_when_no_notification_names_it(world):
    named, unnamed, late, live = [await world.template(deleted=days) for days in (91, 91, 89, None)]
    await world.notification("scheduled", days=120, template=named)
    await world.run("notifications", "templates")
    assert await world.left("templates") == {named, late, live}
    assert unnamed not in await world.left("template_versions", "template_id")


async def test_an_inbox_counts_what_is_left_unread(world):
    ids = [uuid4() for _ in range(3)]
    await world.db.fetch(
        inbox.SQL["keep"],
        ids,
        [world.tenant_id] * 3,
        ["u-1", "u-1", "u-2"],
        ids,
        [None] * 3,
        ["b"] * 3,
        [{}] * 3,
    )
    await world.db.fetch(
        "UPDATE inbox_messages SET created_at = now() - interval '91 days' WHERE seq = 1"
    )
    assert await world.run("inbox_messages") == {"inbox_messages": 2}
    counts = await world.db.fetch("SELECT recipient_id, unread, last_seq FROM inboxes ORDER BY 1")
    assert [tuple(row) for row in counts] == [("u-1", 1, 2), ("u-2", 0, 1)]


async def test_deliveries_to_webhooks_go_once_they_have_ended(world):
    endpoint = (
        await world.db.fetchrow(
            "INSERT INTO webhook_endpoints (id, tenant_id, url, secret) VALUES (gen_random_uuid(),"
            " $1, 'u', 's') RETURNING id",
            world.tenant_id,
        )
    )["id"]
    for days, due in ((91, None), (91, timedelta(0)), (89, None)):
        await world.db.fetch(
            "INSERT INTO webhook_deliveries (id, tenant_id, endpoint_id, event_id, type, at, data,"
            f" due_at, status) VALUES ({AT}, $2, $3, gen_random_uuid(), 't', now(), '{{}}', now() -"
            " $4::interval, $5)",
            timedelta(days=days),
            world.tenant_id,
            endpoint,
            due,
            "delivered" if due is None else "pending",
        )
    assert await world.run("webhook_deliveries") == {"webhook_deliveries": 1}
    assert len(await world.left("webhook_deliveries")) == 2


async def test_the_log_of_operators_goes_by_age(world):
    await world.db.fetch(
        "INSERT INTO audit_log (at, actor, action, target) SELECT now() - d * interval '1 day',"
        " 'cli', 'a', 't' FROM unnest(ARRAY[91, 89]) AS d"
    )
    assert await world.run("audit_log") == {"audit_log": 1}


async def test_steps_go_past_what_stays_and_come_to_an_end(world, monkeypatch):
    monkeypatch.setattr("notistream.recording.retention.LIMIT", 3)
    kept = {await world.notification("pending", days=100 - i) for i in range(4)}
    for i in range(8):
        await world.notification("delivered", days=99 - i)
    steps = []
    assert await world.run("notifications", on_step=lambda table, count: steps.append(count)) == {
        "notifications": 8
    }
    assert max(steps) <= 3
    assert await world.left("notifications") == kept


async def test_a_dry_run_counts_the_same_and_deletes_nothing(world):
    letter = await world.notification("failed", days=91)
    await world.dead_letter(letter, days=91, replayed=True)
    await world.batch(days=91)
    await world.template(deleted=91)
    said = await world.run(*retention.TABLES, really=False)
    assert said == await world.run(*retention.TABLES)
    assert said == {
        **dict.fromkeys(retention.TABLES, 0),
        "notifications": 1,
        "dead_letters": 1,
        "batches": 1,
        "templates": 1,
    }


async def test_one_process_deletes_at_a_time_and_a_locked_row_is_left(world):
    locked, _ = (
        await world.notification("delivered", days=91),
        await world.notification("delivered", days=91),
    )
    async with world.db.transaction() as other:
        assert await retention.try_lock(other)
        assert await world.run("notifications", pace=True) == {"notifications": 0}
    async with world.db.transaction() as other:
        await other.fetch("SELECT FROM notifications WHERE id = $1 FOR UPDATE", locked)
        assert await world.run("notifications") == {"notifications": 1}
    assert await world.left("notifications") == {locked}


async def test_what_is_deleted_is_counted(world):
    before = metrics.RETENTION_DELETED.labels("notifications")._value.get()
    await world.notification("delivered", days=91)
    await world.run("notifications")
    assert metrics.RETENTION_DELETED.labels("notifications")._value.get() == before + 1
    assert set(metrics.RETAINED) == set(retention.TABLES)


def test_what_is_kept_for_ever_is_not_looked_at():
    assert spans(Settings()) == {"webhook_deliveries": timedelta(days=90)}
    assert set(
        spans(
            Settings(
                retention_days=7,
                retention_dead_letters_days=31,
                retention_inbox_days=1,
                retention_audit_log_days=7,
            )
        )
    ) == set(retention.TABLES)


async def test_the_command_tells_and_deletes(
    endpoints, database_url, topics_prefix, tmp_path, world
):
    await world.notification("delivered", days=31)
    async with stack(
        database_url=database_url,
        brokers=endpoints.kafka_brokers,
        prefix=topics_prefix,
        folder=tmp_path,
        RETENTION_DAYS="30",
    ) as product:
        would = json.loads(await product.run("retention", "--dry-run", "--json"))
        assert would["tables"]["notifications"] == {"days": 30, "deleted": 1}
        assert len(await world.left("notifications")) == 1
        assert "notifications             30 days            1" in await product.run("retention")
    assert await world.left("notifications") == set()


async def test_the_task_of_a_worker_deletes(
    endpoints, database_url, topics_prefix, tmp_path, world
):
    await world.notification("delivered", days=31)
    waiting = await world.notification("scheduled", days=31)
    async with stack(
        database_url=database_url,
        brokers=endpoints.kafka_brokers,
        prefix=topics_prefix,
        folder=tmp_path,
        RETENTION_DAYS="30",
    ) as product:
        worker = await product.worker()

        async def counted() -> bool:
            return (
                await product.metric(
                    worker, "notistream_retention_deleted_rows_total", table="notifications"
                )
                == 1
            )

        await until(counted, what="the worker to delete")
    assert await world.left("notifications") == {waiting}


async def test_totals_of_long_ago_are_kept_by_the_month(world):
    hours = [(120, 2), (120, 3), (160, 1), (1, 1)]
    for days, hour in hours:
        await world.db.fetch(
            "INSERT INTO channel_totals (tenant_id, channel, hour, sent, failed, latency_ms_sum)"
            " SELECT $1, 'sms', date_trunc('month', now() - $2::interval, 'UTC') +"
            " make_interval(days => 5, hours => $3), 10, 1, 100",
            world.tenant_id,
            timedelta(days=days),
            hour,
        )
    before = await stats.channel_totals(world.db, world.tenant_id)
    for _ in range(2):
        await Retention(world.db, {}).fold_totals()
        assert await stats.channel_totals(world.db, world.tenant_id) == before
    rows = await world.db.fetch(
        "SELECT extract(day FROM hour AT TIME ZONE 'UTC') AS day FROM channel_totals"
    )
    months = len({(NOW - timedelta(days=days)).strftime("%Y-%m") for days, _ in hours[:3]})
    assert sorted(int(row["day"]) for row in rows) == [*[1] * months, 6]
