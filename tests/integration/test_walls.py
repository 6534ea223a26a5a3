"""The walls of migration 0004: every table of a tenant has one, hides others' rows, and is still
read by index.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import orjson
import pytest

from notistream.db import migrate, notifications, queries, tenants
from notistream.db.notifications import Filter
from notistream.db.pool import Database

pytestmark = pytest.mark.integration

WITHOUT_A_WALL = {
    "api_keys": (
        "a request shows its key before it has a tenant; the tenant's role has no grant on it"
    ),
}
CHILDREN = ("attempts", "trace_steps", "replayed", "template_versions")
ROWS = {
    "templates": "INSERT INTO templates (id, tenant_id, name, channel) VALUES ($2, $1, 'n', 'sms')",
    "template_versions": (
        "INSERT INTO template_versions (template_id, version, body) SELECT id, 1, 'b' FROM"
        " templates WHERE tenant_id = $1 AND $2::uuid IS NOT NULL"
    ),
    "recipients": "INSERT INTO recipients (tenant_id, id) VALUES ($1, $2::uuid::text)",
    "device_tokens": (
        "INSERT INTO device_tokens (tenant_id, recipient_id, digest, token) "
        "SELECT $1, id, sha256($2::uuid::text::bytea), 't' FROM recipients WHERE tenant_id = $1"
    ),
    "inboxes": "INSERT INTO inboxes (tenant_id, recipient_id) VALUES ($1, $2::uuid::text)",
    "inbox_messages": (
        "INSERT INTO inbox_messages (id, tenant_id, recipient_id, seq, notification_id, body) "
        "VALUES ($2, $1, 'u', 1, $2, 'b')"
    ),
    "webhook_endpoints": (
        "INSERT INTO webhook_endpoints (id, tenant_id, url, secret) VALUES ($2, $1, 'https://x',"
        " 's')"
    ),
    "webhook_deliveries": (
        "INSERT INTO webhook_deliveries (id, tenant_id, endpoint_id, event_id, type, at, data) "
        "SELECT $2, $1, id, $2, 't', now(), '{}' FROM webhook_endpoints WHERE tenant_id = $1"
    ),
    "sandbox_messages": (
        "INSERT INTO sandbox_messages (id, tenant_id, notification_id, key, channel, recipient, "
        "content, outcome) VALUES ($2, $1, $2, 'k', 'sms', '+905000000001', 'c', 'delivered')"
    ),
    "preferences": "INSERT INTO preferences (tenant_id, recipient_id) VALUES ($1, $2::uuid::text)",
    "suppressions": (
        "INSERT INTO suppressions (tenant_id, channel, address, reason) "
        "VALUES ($1, 'sms', $2::uuid, 'manual')"
    ),
    "batches": (
        "INSERT INTO batches (id, tenant_id, total_count, rejected_count) VALUES ($2, $1, 1, 0)"
    ),
    "notifications": (
        "INSERT INTO notifications (id, tenant_id, channel, priority, status, recipient) "
        "VALUES ($2, $1, 'sms', 'high', 'delivered', '+905000000001')"
    ),
    "attempts": (
        "INSERT INTO attempts (notification_id, chain, number, started_at, outcome) SELECT id, 1,"
        " 1, now(), 'delivered' FROM notifications WHERE tenant_id = $1 AND $2::uuid IS NOT NULL"
    ),
    "trace_steps": (
        "INSERT INTO trace_steps (notification_id, gate, verdict, reason) SELECT id, 'g', 'v', 'r' "
        "FROM notifications WHERE tenant_id = $1 AND $2::uuid IS NOT NULL"
    ),
    "replayed": (
        "INSERT INTO replayed (replay_id, notification_id) "
        "SELECT $2, id FROM notifications WHERE tenant_id = $1"
    ),
    "outbox": (
        "INSERT INTO outbox (tenant_id, topic, messages, ids) VALUES ($1, 'sms.high', '[]',"
        " ARRAY[$2::uuid])"
    ),
    "dead_letters": (
        "INSERT INTO dead_letters (id, tenant_id, channel, reason) VALUES ($2, $1, 'sms', 'r')"
    ),
    "cap_uses": (
        "INSERT INTO cap_uses (tenant_id, recipient_id, channel, notification_id) VALUES ($1, 'u',"
        " 'sms', $2)"
    ),
    "idempotency_keys": "INSERT INTO idempotency_keys VALUES ($1, $2::uuid::text, $2, now())",
    "idempotent_requests": (
        "INSERT INTO idempotent_requests (tenant_id, route, key, body_hash, locked_until, "
        "expires_at) VALUES ($1, 'r', $2::uuid::text, '', now(), now())"
    ),
    "channel_totals": (
        "INSERT INTO channel_totals (tenant_id, channel, hour) "
        "SELECT $1, 'sms', now() WHERE $2::uuid IS NOT NULL"
    ),
}
"""A row of tenant $1 in each table with a wall; $2 is a new id.

In an order in which parents come first.
"""
FORGED = {
    "trace_steps": (
        "INSERT INTO trace_steps (notification_id, gate, verdict, reason) VALUES ($1, '', '', '')"
    ),
    "replayed": "INSERT INTO replayed (replay_id, notification_id) VALUES (gen_random_uuid(), $1)",
    "template_versions": (
        "INSERT INTO template_versions (template_id, version, body) VALUES ($1, 2, 'b')"
    ),
    "webhook_deliveries": (
        "INSERT INTO webhook_deliveries (id, tenant_id, endpoint_id, event_id, type, at, data) "
        "SELECT gen_random_uuid(), $2, $1, $1, 't', now(), '{}'"
    ),
    "device_tokens": (
        "INSERT INTO device_tokens (tenant_id, recipient_id, digest, token) SELECT $2, $1, '', 't'"
    ),
}
"""Rows below a parent of another tenant, $1; $2 is that tenant, where the row says so itself."""
PARENTS = {
    "template_versions": "templates",
    "webhook_deliveries": "webhook_endpoints",
    "device_tokens": "recipients",
}


@dataclass
class World:
    """A database with rows of tenant A in every table, and a tenant B."""

    db: Database
    admin: Any
    a: UUID
    b: UUID


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    db = Database(database_url, size=2, name="test")
    admin = await asyncpg.connect(database_url)
    (a, _), (b, _) = [await tenants.create(db, name) for name in "ab"]
    for statement in ROWS.values():
        await db.fetch(statement, a.id, uuid4())
    yield World(db, admin, a.id, b.id)
    await admin.close()
    await db.close()


async def walled(admin: Any) -> dict[str, bool]:
    """Every table with a tenant, directly or by its parent, and whether PostgreSQL keeps others'
    rows from a tenant.
    """
    rows = await admin.fetch(
        """
        SELECT c.relname, c.relrowsecurity AND EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid) AS walled
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'public'
        WHERE c.relkind IN ('r', 'p') AND (c.relname = ANY ($1) OR EXISTS (
            SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped))
        """,
        list(CHILDREN),
    )
    return {row["relname"]: row["walled"] for row in rows}


async def test_every_table_of_a_tenant_has_a_wall_or_a_reason(world: World) -> None:
    tables = await walled(world.admin)
    open_ones = {name for name, has_wall in tables.items() if not has_wall}
    assert open_ones == WITHOUT_A_WALL.keys(), (
        "call isolate('table') in the migration, or say why not in this test"
    )
    for name in WITHOUT_A_WALL:
        assert not await world.admin.fetchval(
            "SELECT has_table_privilege('notistream_tenant', $1, 'SELECT')", name
        )


async def test_every_wall_has_a_row_in_this_suite(world: World) -> None:
    tables = {name for name, has_wall in (await walled(world.admin)).items() if has_wall}
    assert tables - ROWS.keys() == set(), "add a row of these tables to ROWS"


@pytest.mark.parametrize("table", ROWS)
async def test_another_tenants_rows_are_not_there(world: World, table: str) -> None:
    everything = f"SELECT * FROM {table}"
    assert len(await world.db.fetch(everything)) == 1
    assert len(await world.db.of(world.a).fetch(everything)) == 1
    assert await world.db.of(world.b).fetch(everything) == []
    assert await world.db.of(uuid4()).fetch(everything) == []


@pytest.mark.parametrize("table", [table for table in ROWS if table != "attempts"])
async def test_a_row_cannot_be_forged_for_another_tenant(world: World, table: str) -> None:
    await world.db.fetch("DELETE FROM channel_totals")
    forged: str = ROWS[table]
    arguments: tuple[Any, ...] = (world.a, uuid4())
    if table in FORGED:
        parent = await world.admin.fetchval(f"SELECT id FROM {PARENTS.get(table, 'notifications')}")
        forged = FORGED[table]
        arguments = (parent, world.a) if "$2" in forged else (parent,)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await world.db.of(world.b).fetch(forged, *arguments)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM notifications",
        "DELETE FROM batches",
        "UPDATE outbox SET topic = 'x'",
        "DELETE FROM dead_letters",
        "UPDATE trace_steps SET reason = ''",
        "DELETE FROM attempts",
        "SELECT * FROM audit_log",
        "SELECT * FROM tenants",
        "SELECT * FROM api_keys",
        "SELECT * FROM request_windows",
        "SELECT * FROM leases",
        "SELECT * FROM replays",
    ],
)
async def test_a_request_has_no_right_that_it_does_not_need(world: World, statement: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await world.db.of(world.a).fetch(statement)


async def test_what_a_tenant_did_is_noted_under_its_own_name_only(world: World) -> None:
    insert = queries.load("audit_log")["record"]
    await world.db.of(world.a).fetch(insert, str(world.a), "notification.resend", "x", {})
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await world.db.of(world.b).fetch(insert, str(world.a), "notification.resend", "x", {})


MANY = """
INSERT INTO notifications (id, tenant_id, channel, priority, recipient, content, status)
SELECT gen_random_uuid(), ($1::uuid[])[1 + g % 2], 'sms', 'normal', '+905000000001', 'hi', 'delivered'
FROM generate_series(1, 20000) g
"""


async def test_a_scoped_read_still_uses_the_indexes(world: World) -> None:
    await world.admin.execute(
        MANY.replace("$1::uuid[]", f"ARRAY['{world.a}', '{world.b}']::uuid[]")
    )
    await world.admin.execute(
        "INSERT INTO trace_steps (notification_id, gate, verdict, reason) SELECT id, '', '', ''"
        " FROM notifications"
    )
    await world.admin.execute(
        "UPDATE notifications SET batch_id = (SELECT id FROM batches) WHERE id IN (SELECT id FROM"
        " notifications WHERE tenant_id = $1 LIMIT 50)",
        world.b,
    )
    batch = await world.admin.fetchval("UPDATE batches SET tenant_id = $1 RETURNING id", world.b)
    await world.admin.execute("ANALYZE notifications, trace_steps")
    own = await world.admin.fetchval(
        "SELECT id FROM notifications WHERE tenant_id = $1 LIMIT 1", world.b
    )
    page = (
        await notifications.list_page(world.db.of(world.b), world.b, Filter(), limit=1)
    ).notifications
    sql, scoped = queries.load("notifications"), world.db.of(world.b)
    cases = [
        (sql["get"], (world.b, own), 1),
        (sql["trace_steps"], (own,), 1),
        (sql["attempts"], (own,), 0),
        (sql["list"], (world.b, page[0].id, notifications.FIRST, *[None] * 5, 20, 20), 20),
        (queries.load("batches")["get"], (world.b, batch), 1),
    ]
    for statement, arguments, rows in cases:
        row = await scoped.fetchrow(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", *arguments)
        assert row is not None
        plan = orjson.loads(row[0])[0]["Plan"]
        assert plan["Actual Rows"] == rows
        large = [
            n for n in nodes(plan) if n.get("Relation Name") in ("notifications", "trace_steps")
        ]
        assert not [n for n in large if n["Node Type"] == "Seq Scan"], plan
        assert sum(n.get("Rows Removed by Filter", 0) for n in large) == 0, plan


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    """A plan's nodes, flat."""
    return [plan, *(node for child in plan.get("Plans", ()) for node in nodes(child))]


async def test_the_migration_can_be_undone_and_done_again(database_url: str) -> None:
    """Steps after it are undone first, so that this holds whatever is added later."""
    later = sum(step.number >= 4 for step in migrate.known())
    await migrate.down(database_url, steps=later)
    await migrate.up(database_url)
    admin = await asyncpg.connect(database_url)
    assert {
        name for name, has_wall in (await walled(admin)).items() if not has_wall
    } == WITHOUT_A_WALL.keys()
    await admin.close()
