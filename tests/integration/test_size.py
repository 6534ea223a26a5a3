"""A hundredth of `make size`: with many rows no statement reads a whole table, and no index is
there for nothing.
"""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack
from datetime import timedelta
from importlib import resources
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import orjson
import pytest
from uuid_utils.compat import uuid7

from benchmarks.size.rows import fill
from notistream.db import deliveries, queries
from notistream.db.deliveries import Finishing
from notistream.db.pool import PLANNED_ONCE, use_json
from notistream.delivery.ports import Turn
from tests.integration.test_plans import nodes
from tests.integration.test_protocol import DELIVERED
from tests.services import Endpoints, fresh_database

pytestmark = [pytest.mark.integration, pytest.mark.full]
ROWS = 20_000
LARGE = {
    "notifications",
    "attempts",
    "trace_steps",
    "batches",
    "dead_letters",
    "inboxes",
    "inbox_messages",
    "replayed",
    "webhook_deliveries",
    "cap_uses",
    "idempotency_keys",
    "recipients",
    "preferences",
    "audit_log",
    "channel_totals",
}
WHOLE = {
    "dead_letters.kinds": "counts what a filter finds, for an operator who asks",
    "dead_letters.replay_records": "the index of undecodable records, which are few",
    "erasure.erase_records": "the same: their bytes have to be looked through",
    "gauges.dead_letters": "counts the index of those that nobody has decided on",
    "receipts.take_known": "one probe for each receipt that came early",
    "webhook_deliveries.take": "skips from endpoint to endpoint",
    "webhook_deliveries.backlog": "counts the index of what waits",
}
"""Statements that read an index without a condition, and why they may."""
UPDATED = ("notifications", "inboxes", "channel_totals")


@pytest.fixture(scope="module")
def url(endpoints: Endpoints) -> Iterator[str]:
    """A database with many rows of every kind."""
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        made = runner.run(stack.enter_async_context(fresh_database(endpoints)))
        try:
            runner.run(filled(made))
            yield made
        finally:
            runner.run(stack.aclose())


async def filled(url: str) -> None:
    connection = await asyncpg.connect(url)
    await fill(connection, ROWS)
    await connection.close()


@pytest.fixture(scope="module")
def plans(url: str) -> Mapping[str, list[dict[str, Any]]]:
    """The nodes of every named statement's plan for any arguments, where PostgreSQL takes an index
    if one will do.
    """
    return asyncio.run(all_plans(url))


async def all_plans(url: str) -> Mapping[str, list[dict[str, Any]]]:
    connection = await asyncpg.connect(
        url, statement_cache_size=0, server_settings={**PLANNED_ONCE, "enable_seqscan": "off"}
    )
    found = {}
    for path in resources.files("notistream.db.sql").iterdir():
        stem = path.name.removesuffix(".sql")
        for query in queries.load(stem).values():
            found[query.name] = await plan(connection, query.text)
    await connection.close()
    return found


async def plan(connection: asyncpg.Connection, sql: str) -> list[dict[str, Any]]:
    await connection.execute(f"PREPARE statement AS {sql}")
    count = await connection.fetchval(
        "SELECT cardinality(parameter_types) FROM pg_prepared_statements"
    )
    arguments = f"({', '.join(['NULL'] * count)})" if count else ""
    text = await connection.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE statement{arguments}")
    await connection.execute("DEALLOCATE statement")
    return nodes(orjson.loads(text)[0]["Plan"])


def scans(plan: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    return (
        node
        for node in plan
        if node.get("Relation Name") in LARGE and node["Node Type"].endswith("Scan")
    )


def test_no_statement_reads_a_whole_large_table(plans):
    assert [
        name
        for name, plan in plans.items()
        if any(s["Node Type"] == "Seq Scan" for s in scans(plan))
    ] == []


def test_no_statement_reads_a_whole_index_but_those_that_have_a_reason(plans):
    whole = {
        name
        for name, plan in plans.items()
        if any("Index Cond" not in s for s in scans(plan) if s["Node Type"].startswith("Index"))
    }
    assert whole == set(WHOLE)


async def test_every_index_of_a_large_table_serves_a_statement(url, plans):
    connection = await asyncpg.connect(url)
    there = await connection.fetch(
        "SELECT indexrelname AS name FROM pg_stat_user_indexes WHERE relname = ANY ($1::text[])",
        sorted(LARGE),
    )
    await connection.close()
    used = {node["Index Name"] for plan in plans.values() for node in plan if "Index Name" in node}
    assert {row["name"] for row in there} - used == set()


async def test_claims_and_finishes_are_hot_updates(url):
    """A HOT update writes no index entry: the row has room on its page, and no indexed column
    changes.
    """
    connection = await asyncpg.connect(url)
    await use_json(connection)
    tenant = await connection.fetchval("SELECT id FROM tenants LIMIT 1")
    await connection.execute(UNDISTURBED)
    before = await updates(connection)
    for _ in range(20):
        ids = [uuid7() for _ in range(50)]
        await connection.execute(PENDING, ids, tenant)
        claimed = await deliveries.claim(
            connection,
            [Turn(i, 1) for i in ids],
            owner=0,
            lease=timedelta(seconds=30),
            call_before=0.0,
        )
        ended = await deliveries.finish(
            connection, [Finishing(i, claimed[i].lease_token, DELIVERED) for i in ids]
        )
        assert len(ended.ids) == 50
    all_updates, hot = (
        now - then for now, then in zip(await updates(connection), before, strict=True)
    )
    await connection.close()
    assert all_updates == 2 * 20 * 50
    assert hot >= 0.9 * all_updates


# An ANALYZE in this database, of whatever table, keeps the room of former versions while it runs.
UNDISTURBED = """
DO $$
DECLARE name regclass;
BEGIN
    FOR name IN SELECT oid FROM pg_class WHERE relkind = 'r'
        AND relnamespace = 'public'::regnamespace LOOP
        EXECUTE format('ALTER TABLE %s SET (autovacuum_enabled = off)', name);
    END LOOP;
END $$
"""
PENDING = """
INSERT INTO notifications (id, tenant_id, channel, priority, status, recipient, content, queued_at)
SELECT id, $2, 'sms', 'normal', 'pending', '+905000000001',
    'Your order has been shipped and will arrive soon.', now()
FROM unnest($1::uuid[]) AS id
"""


async def updates(connection: asyncpg.Connection) -> tuple[int, int]:
    await connection.execute("SELECT pg_stat_force_next_flush()")
    row = await connection.fetchrow(
        "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'notifications'"
    )
    return row["n_tup_upd"], row["n_tup_hot_upd"]


async def test_what_is_updated_has_room_and_what_grows_is_vacuumed_early(url):
    connection = await asyncpg.connect(url)
    rows = await connection.fetch(
        "SELECT relname, reloptions FROM pg_class WHERE relname = ANY ($1::text[]) AND relkind"
        " = 'r'",
        sorted(LARGE),
    )
    await connection.close()
    options = {
        row["relname"]: dict(option.split("=") for option in row["reloptions"] or ())
        for row in rows
    }
    assert {name for name, set_ in options.items() if "fillfactor" in set_} >= set(UPDATED)
    for name in (
        "notifications",
        "attempts",
        "trace_steps",
        "inbox_messages",
        "webhook_deliveries",
    ):
        assert float(options[name]["autovacuum_vacuum_scale_factor"]) <= 0.02


def test_ids_tell_the_time():
    """What retention and the spans of lists rest on."""
    assert isinstance(uuid7(), UUID)
    assert (uuid7().version, uuid4().version) == (7, 4)
