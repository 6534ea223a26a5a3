"""Erasing a recipient: nothing personal is left in any column of any table, and nothing that counts
is lost.
"""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from notistream.db import deliveries, tenants
from notistream.db.deliveries import Finishing
from notistream.delivery.ports import Turn
from notistream.domain.notification import Status
from notistream.domain.outcome import AttemptOutcome, Finish, Step
from notistream.runtime import Runtime
from tests.integration.test_recipients import called
from tests.unit.web_fakes import Client, problem_of

pytestmark = pytest.mark.integration

V1 = "/api/v1"
M = "zq7marker"
ID, EMAIL, PHONE, TOKEN = f"{M}-id", f"{M}@example.com", "+905550007713", f"{M}-token"
MARKS = (M, PHONE, PHONE[1:])

# What stays, and why. A column that is in neither list fails the test: erase it, or say here why it
# is not personal.
NEVER_PERSONAL = {
    "tenants": "the sender's own",
    "api_keys": "the sender's own",
    "templates": "the sender's texts",
    "template_versions": "the sender's texts",
    "batches": "counts",
    "leases": "ids, for seconds",
    "outbox": "hashed keys and ids, for seconds until Kafka has them",
    "channel_totals": "counts",
    "token_slots": "counts",
    "pauses": "operators' words",
    "breakers": "state of providers",
    "replays": "filters",
    "replayed": "ids",
    "repairs": "ids",
    "audit_log": "what operators and senders did, by id",
    "schema_migrations": "our own",
    "early_receipts": "what vendors said, for ten minutes",
    "webhook_endpoints": "the sender's own",
    "request_windows": "counts",
    "channel_minutes": "counts",
}
STAYS = {
    "notifications": {
        "channel",
        "priority",
        "status",
        "on_unknown",
        "template_name",
        "category",
        "type",
        "provider",
        "next_provider",
        "traceparent",
        "locale",
    },
    "attempts": {"provider", "outcome", "late_outcome"},
    "trace_steps": {"gate", "verdict"},
    "dead_letters": {"channel", "topic"},
    "idempotency_keys": {
        "key"
    },  # the sender's; it lapses, and until then it keeps a repetition from being sent
    "suppressions": {"channel", "reason", "category"},
    "webhook_deliveries": {"type", "status"},
    "sandbox_messages": {"channel", "outcome"},
}

UNMARKED = {
    "device_tokens.digest",
    "idempotent_requests.body_hash",
    "cap_uses.channel",
    "preferences.channels",
}
"""Columns that cannot hold a mark; their rows go."""


@pytest.fixture
async def sql(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


async def create(client: Client, status: int = 202, **fields: Any) -> str:
    shown = await called(
        client, "POST", f"{V1}/notifications", {"content": "hi", **fields}, status=status
    )
    return str(shown["id"])


async def claim(runtime: Runtime, notification_id: str) -> Any:
    found = await deliveries.claim(
        runtime.database,
        [Turn(UUID(notification_id), 1)],
        owner=0,
        lease=timedelta(seconds=30),
        call_before=1e12,
    )
    return found[UUID(notification_id)]


async def finish(runtime: Runtime, claimed: Any, status: Status, outcome: AttemptOutcome) -> None:
    end = Finish(
        status=status,
        outcome=outcome,
        reason=f"of {EMAIL}",
        error=f"no such user {EMAIL}",
        provider="p",
        provider_message_id=M,
        subject=M,
        content=f"Dear {M}",
        delay_s=3600.0 if status is Status.RETRYING else None,
        steps=(Step(gate="address", verdict="passed", reason=f"to {EMAIL}", inputs={"to": EMAIL}),),
    )
    await deliveries.finish(runtime.database, [Finishing(claimed.id, claimed.lease_token, end)])


async def tables(sql: asyncpg.Connection) -> dict[str, dict[str, str]]:
    """Columns that can hold words, with their types, of every table."""
    found: dict[str, dict[str, str]] = {}
    for row in await sql.fetch("""
        SELECT table_name, column_name, udt_name FROM information_schema.columns
        WHERE table_schema = 'public'
            AND udt_name IN ('text', 'varchar', '_text', 'jsonb', 'json', 'bytea', '_bytea')"""):
        found.setdefault(row["table_name"], {})[row["column_name"]] = row["udt_name"]
    return found


async def marked(sql: asyncpg.Connection) -> set[str]:
    """table.column wherever a mark is found, as text or as bytes."""
    found = set()
    for table, columns in (await tables(sql)).items():
        for column in columns:
            value = f'"{column}"::text'
            for mark in MARKS:
                if await sql.fetchval(
                    f'SELECT EXISTS (SELECT FROM "{table}" WHERE {value} ILIKE $1 OR {value}'
                    " LIKE $2)",
                    f"%{mark}%",
                    f"%{mark.encode().hex()}%",
                ):
                    found.add(f"{table}.{column}")
    return found


async def plant(client: Client, runtime: Runtime, sql: asyncpg.Connection) -> dict[str, str]:
    """A recipient with a history in which every column that may hold something personal does.

    Ids by status.
    """
    await called(
        client,
        "PUT",
        f"{V1}/recipients/{ID}",
        {"email": EMAIL, "phone": PHONE, "push_tokens": [TOKEN], "locale": "en"},
        status=201,
    )
    await called(
        client,
        "PUT",
        f"{V1}/recipients/{ID}/preferences",
        {
            "channels": {"sms": {"enabled": False}},
            "categories": {f"{M}-wish": False, "news": False},
        },
    )
    await called(
        client,
        "PUT",
        f"{V1}/suppressions",
        {"channel": "push", "address": TOKEN, "note": M},
        status=201,
    )
    wanted = {
        "channel": "email",
        "subject": M,
        "content": f"Dear {M}",
        "metadata": {"m": M},
        "payload": {"m": M},
        "idempotency_key": None,
        "recipient_id": ID,
    }
    ids = {
        "failed": await create(client, **{**wanted, "idempotency_key": f"{M}-key"}),
        "delivered": await create(
            client, **{**wanted, "recipient_id": None, "recipient": EMAIL.upper()}
        ),
        "retrying": await create(client, **wanted),
        "processing": await create(client, **wanted),
        "pending": await create(client, channel="in_app", recipient=ID, content=M),
        "scheduled": await create(
            client, channel="sms", recipient=PHONE, scheduled_at="2099-01-01T00:00:00Z"
        ),
    }
    answer = await client.post(
        f"{V1}/notifications",
        json={"channel": "sms", "recipient": PHONE, "content": "x"},
        headers={"Idempotency-Key": f"{M}-answer", "X-Correlation-ID": M},
    )
    ids["answered"] = (await answer.json())["id"]
    for status, outcome in (
        ("failed", "permanent"),
        ("delivered", "delivered"),
        ("retrying", "temporary"),
    ):
        await finish(
            runtime, await claim(runtime, ids[status]), Status(status), AttemptOutcome(outcome)
        )
    await sql.execute(
        """
        INSERT INTO cap_uses (tenant_id, recipient_id, channel, notification_id)
        SELECT tenant_id, $2, channel, id FROM notifications WHERE id = $1""",
        ids["delivered"],
        ID,
    )
    await sql.execute(
        """
        INSERT INTO trace_steps (notification_id, gate, verdict, reason, inputs)
        VALUES ($1, 'park', 'deferred', $2, jsonb_build_object('to', $2::text))""",
        ids["delivered"],
        EMAIL,
    )
    await sql.execute(
        """
        UPDATE dead_letters SET value = $2, headers = jsonb_build_array($3::text)
        WHERE notification_id = $1""",
        ids["failed"],
        EMAIL.encode(),
        M,
    )
    await sql.execute(
        "UPDATE dead_letters SET key = $2 WHERE notification_id = $1", ids["failed"], M.encode()
    )
    await sql.execute(
        """
        INSERT INTO dead_letters (id, channel, reason, topic, partition, "offset", value, headers)
        VALUES (gen_random_uuid(), 'email', $1, 't', 0, 7, $2, '[]')""",
        f"not JSON: {EMAIL}",
        f"to {EMAIL}".encode(),
    )
    await sql.execute(
        """
        WITH n AS (SELECT * FROM notifications WHERE id = $1), i AS (
            INSERT INTO inboxes (tenant_id, recipient_id) SELECT tenant_id, $2 FROM n), m AS (
            INSERT INTO inbox_messages (id, tenant_id, recipient_id, seq, notification_id, title,
                body, payload)
            SELECT gen_random_uuid(), tenant_id, $2, 1, id, $3, $3, jsonb_build_object('m',
                $3::text) FROM n), e AS (
            INSERT INTO webhook_endpoints (id, tenant_id, url, secret)
            SELECT gen_random_uuid(), tenant_id, 'https://h.example.com', 's' FROM n RETURNING id)
        INSERT INTO webhook_deliveries (id, tenant_id, endpoint_id, event_id, type, at, data, error,
            history)
        SELECT gen_random_uuid(), n.tenant_id, e.id, gen_random_uuid(), 'notification.failed',
            now(),
            jsonb_build_object('recipient_id', $2::text, 'reason', $3::text), $3,
            jsonb_build_array(jsonb_build_object('response', $3::text))
        FROM n, e""",
        ids["pending"],
        ID,
        M,
    )
    await sql.execute(
        """
        INSERT INTO sandbox_messages (id, tenant_id, notification_id, key, channel, recipient,
            recipient_id, subject,
            content, html, headers, payload, outcome)
        SELECT id, tenant_id, id, $2, channel, $2, $3, $2, $2, $2, jsonb_build_object('h',
            $2::text),
            jsonb_build_object('m', $2::text), 'delivered' FROM notifications WHERE id = $1""",
        ids["delivered"],
        M,
        ID,
    )
    await sql.execute(
        "UPDATE notifications SET receipt = jsonb_build_object('state', 'bounced', 'detail',"
        " $2::text) WHERE id = $1",
        ids["delivered"],
        f"550 <{EMAIL}>",
    )
    await sql.execute("UPDATE device_tokens SET platform = $1", M)
    await sql.execute("UPDATE recipients SET timezone = $1, locale = $1 WHERE id = $2", M, ID)
    await sql.execute(
        "UPDATE idempotent_requests SET route = route || $1, headers = jsonb_build_object('h',"
        " $1::text)",
        M,
    )
    return ids


async def totals(sql: asyncpg.Connection) -> list[Any]:
    return [
        await sql.fetchval("SELECT count(*) FROM notifications"),
        await sql.fetchval("SELECT count(*) FROM attempts"),
        await sql.fetchval("SELECT count(*) FROM dead_letters"),
        await sql.fetch("SELECT * FROM channel_totals"),
        await sql.fetchval("SELECT sum(total_count) FROM batches"),
    ]


async def test_nothing_personal_is_left_in_any_table_and_nothing_that_counts_is_lost(
    api: tuple[Client, Runtime], sql: asyncpg.Connection
) -> None:
    client, runtime = api
    ids = await plant(client, runtime, sql)
    under_way = await claim(runtime, ids["processing"])
    before, counted = await marked(sql), await totals(sql)
    known = {
        f"{table}.{column}"
        for table, columns in (await tables(sql)).items()
        if table not in NEVER_PERSONAL
        for column, kind in columns.items()
        if column not in STAYS.get(table, ()) and kind != "_bytea"
    }
    assert known - before == UNMARKED, (
        "a column that the history above does not fill, or that is to be listed"
    )

    shown = await called(client, "DELETE", f"{V1}/recipients/{ID}")
    assert shown == {"notifications": 7, "cancelled": 4}
    await finish(runtime, under_way, Status.FAILED, AttemptOutcome.PERMANENT)

    left = await marked(sql)
    assert {place for place in left if place.split(".")[0] not in NEVER_PERSONAL} <= {
        "idempotency_keys.key",
        "suppressions.category",
    }
    assert await totals(sql) == [
        counted[0],
        counted[1] + 1,
        counted[2] + 1,
        await sql.fetch("SELECT * FROM channel_totals"),
        counted[4],
    ]
    statuses = {
        name: await sql.fetchval("SELECT status FROM notifications WHERE id = $1", i)
        for name, i in ids.items()
    }
    assert statuses == {
        "failed": "failed",
        "delivered": "delivered",
        "retrying": "cancelled",
        "processing": "failed",
        "pending": "cancelled",
        "scheduled": "cancelled",
        "answered": "cancelled",
    }
    trace = await called(client, "GET", f"{V1}/notifications/{ids['scheduled']}/trace")
    assert (trace["reason"], trace["steps"][-1]["gate"]) == ("the recipient was erased", "erasure")
    await problem_of(await client.get(f"{V1}/recipients/{ID}"), 404)
    await problem_of(await client.delete(f"{V1}/recipients/{ID}"), 404)


async def test_an_opt_out_survives(api: tuple[Client, Runtime], sql: asyncpg.Connection) -> None:
    client, runtime = api
    await plant(client, runtime, sql)
    await called(client, "DELETE", f"{V1}/recipients/{ID}")
    for fields, reason in (
        ({"channel": "push", "recipient": TOKEN}, "manual"),
        ({"channel": "email", "recipient": EMAIL.upper(), "category": "news"}, "unsubscribe"),
        ({"channel": "email", "recipient": EMAIL, "category": "other"}, None),
        ({"channel": "sms", "recipient": PHONE}, "unsubscribe"),
        ({"channel": "in_app", "recipient_id": ID, "category": "news"}, "unsubscribe"),
    ):
        assert (await claim(runtime, await create(client, **fields))).suppressed == reason, fields
    listed = (await called(client, "GET", f"{V1}/suppressions?channel=push"))["data"]
    assert all(entry["address"].startswith("sha256:") for entry in listed)
    assert [(e["category"], e["reason"], e["note"]) for e in listed] == [
        (None, "manual", None),
        ("news", "unsubscribe", None),
        (f"{M}-wish", "unsubscribe", None),
    ]
    found = (await called(client, "GET", f"{V1}/suppressions?channel=push&address={TOKEN}"))["data"]
    assert found == listed
    await called(
        client, "DELETE", f"{V1}/suppressions", {"channel": "push", "address": TOKEN}, status=204
    )
    assert (
        await claim(runtime, await create(client, channel="push", recipient=TOKEN))
    ).suppressed is None


async def test_what_was_erased_is_never_sent_again(
    api: tuple[Client, Runtime], sql: asyncpg.Connection
) -> None:
    client, runtime = api
    ids = await plant(client, runtime, sql)
    await called(client, "DELETE", f"{V1}/recipients/{ID}")
    shown = await called(client, "POST", f"{V1}/notifications/{ids['pending']}/resend", status=202)
    found = await deliveries.claim(
        runtime.database,
        [
            Turn(
                UUID(ids["pending"]),
                shown_seq := await sql.fetchval(
                    "SELECT seq FROM notifications WHERE id = $1", ids["pending"]
                ),
            )
        ],
        owner=0,
        lease=timedelta(seconds=30),
        call_before=1e12,
    )
    assert shown["status"] == "pending", shown_seq
    assert found[UUID(ids["pending"])].erased


async def test_another_recipient_and_another_tenant_keep_theirs(
    api: tuple[Client, Runtime], sql: asyncpg.Connection
) -> None:
    client, runtime = api
    other, _ = await tenants.create(runtime.database, "other")
    await plant(client, runtime, sql)
    mine = await create(
        client, channel="email", recipient="neighbour@example.com", content="theirs"
    )
    await sql.execute(
        """
        INSERT INTO notifications (id, tenant_id, channel, priority, status, recipient, content)
        VALUES ($1, $2, 'email', 'normal', 'delivered', $3, 'theirs')""",
        foreign := uuid4(),
        other.id,
        EMAIL,
    )
    await called(client, "DELETE", f"{V1}/recipients/{ID}")
    for notification_id in (mine, foreign):
        assert (
            await sql.fetchval("SELECT content FROM notifications WHERE id = $1", notification_id)
            == "theirs"
        )


async def test_a_long_history_is_erased_in_steps(
    api: tuple[Client, Runtime], sql: asyncpg.Connection
) -> None:
    client, _ = api
    tenant = await sql.fetchval("SELECT id FROM tenants")
    await sql.execute(
        """
        INSERT INTO notifications (id, tenant_id, channel, priority, status, recipient,
            recipient_id, content)
        SELECT gen_random_uuid(), $1, 'email', 'normal', (ARRAY['delivered', 'pending'])[n % 2 + 1],
            'x@example.com', CASE WHEN n % 20 = 0 THEN 'other' ELSE 'u' END, 'hi'
        FROM generate_series(1, 12000) n""",
        tenant,
    )
    before = await sql.fetchval("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint")
    assert await called(client, "DELETE", f"{V1}/recipients/u") == {
        "notifications": 11_400,
        "cancelled": 6000,
    }
    after = await sql.fetchval("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint")
    assert after - before > 11_400 // 500
    assert await sql.fetchval("SELECT count(*) FROM notifications WHERE content IS NOT NULL") == 600
