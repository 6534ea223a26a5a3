"""Devices of a recipient at delivery: which tokens a claim finds, and what becomes of an address
that is dead.
"""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import orjson
import pytest

from notistream.db import deliveries, migrate, tenants
from notistream.db.deliveries import Finishing
from notistream.delivery.ports import Origin, Turn
from notistream.domain.event import decode_events
from notistream.domain.notification import Claimed, Status
from notistream.domain.outcome import AttemptOutcome, Finish, Step
from notistream.domain.recipient import device_mark
from notistream.kafka.outbox import outbox_entries
from notistream.runtime import Runtime
from tests.integration.test_api_contract import serving
from tests.integration.test_recipients import called
from tests.unit.web_fakes import Client

pytestmark = pytest.mark.integration

V1 = "/api/v1"
ORIGIN = Origin("t", 0, 0, b"k")
PUSH = {"channel": "push", "recipient_id": "ann", "content": "hi"}


@pytest.fixture
async def api(database_url: str) -> AsyncIterator[tuple[Client, Runtime]]:
    async with serving(database_url) as (client, runtime):
        await tenants.create(runtime.database, "default")
        yield client, runtime


async def create(client: Client, **fields: Any) -> UUID:
    return UUID((await called(client, "POST", f"{V1}/notifications", fields, status=202))["id"])


async def claim(runtime: Runtime, notification_id: UUID) -> Claimed:
    row = await runtime.database.fetchrow(
        "SELECT seq FROM notifications WHERE id = $1", notification_id
    )
    found = await deliveries.claim(
        runtime.database,
        [Turn(notification_id, row["seq"])],
        owner=0,
        lease=timedelta(seconds=30),
        call_before=1e12,
    )
    return found[notification_id]


def refused(*dead: str) -> Finish:
    return Finish(
        status=Status.FAILED,
        outcome=AttemptOutcome.PERMANENT,
        reason="gone",
        error="gone",
        dead_addresses=dead,
    )


async def test_a_claim_finds_every_live_token_oldest_first(api: tuple[Client, Runtime]) -> None:
    client, runtime = api
    await called(
        client, "PUT", f"{V1}/recipients/ann", {"push_tokens": ["a", "b", "c"]}, status=201
    )
    found = await claim(runtime, await create(client, **PUSH))
    assert (list(found.devices), found.recipient, found.suppressed) == (["a", "b", "c"], "c", None)
    by_address = await claim(runtime, await create(client, **PUSH, recipient="b"))
    assert (list(by_address.devices), by_address.recipient) == ([], "b")
    stranger = await claim(runtime, await create(client, **{**PUSH, "recipient_id": "nobody"}))
    assert (list(stranger.devices), stranger.recipient) == ([], None)


@pytest.mark.parametrize(
    ("suppressed", "devices", "reason"),
    [
        ([{"address": "b"}], ["a"], None),
        ([{"address": "b", "category": "news"}], ["a"], None),
        ([{"address": "b", "category": "other"}], ["a", "b"], None),
        ([{"address": "a"}, {"address": "b", "reason": "bounce"}], [], "bounce"),
    ],
)
async def test_suppressed_tokens_are_left_out(
    api: tuple[Client, Runtime],
    suppressed: list[dict[str, str]],
    devices: list[str],
    reason: str | None,
) -> None:
    client, runtime = api
    await called(client, "PUT", f"{V1}/recipients/ann", {"push_tokens": ["a", "b"]}, status=201)
    for entry in suppressed:
        await called(client, "PUT", f"{V1}/suppressions", {"channel": "push", **entry}, status=201)
    found = await claim(runtime, await create(client, **PUSH, category="news"))
    assert (list(found.devices), found.suppressed) == (devices, reason)
    preview = await called(
        client, "POST", f"{V1}/notifications/preview", {**PUSH, "category": "news"}
    )
    assert preview["would"] == ("suppress" if reason else "send")


async def test_only_tokens_that_did_not_refuse_are_tried_again(api: tuple[Client, Runtime]) -> None:
    client, runtime = api
    await called(
        client, "PUT", f"{V1}/recipients/ann", {"push_tokens": ["a", "b", "c"]}, status=201
    )
    claimed = await claim(runtime, notification_id := await create(client, **PUSH))
    steps = tuple(
        Step(gate="device", verdict=verdict, reason="r", inputs={"device": device_mark(device)})
        for device, verdict in (("a", "permanent"), ("b", "temporary"), ("c", "unknown"))
    )
    end = Finish(status=Status.RETRYING, outcome=AttemptOutcome.TEMPORARY, delay_s=0.0, steps=steps)
    await deliveries.finish(runtime.database, [Finishing(claimed.id, claimed.lease_token, end)])
    seq = await runtime.database.fetchrow(
        "SELECT seq FROM notifications WHERE id = $1", notification_id
    )
    await deliveries.queue(runtime.database, [Turn(notification_id, seq["seq"])])
    again = await claim(runtime, notification_id)
    assert (again.attempts, list(again.devices), again.recipient) == (2, ["b", "c"], "c")


async def test_a_dead_token_is_dropped_and_the_sender_is_told(
    api: tuple[Client, Runtime], database_url: str
) -> None:
    client, runtime = api
    for token, platform in (("a", "ios"), ("b", None)):
        await called(
            client,
            "POST",
            f"{V1}/device-tokens",
            {"recipient_id": "ann", "token": token, "platform": platform},
            status=201,
        )
    claimed = await claim(runtime, await create(client, **PUSH))
    for _ in range(2):  # repeated as after a crash
        await runtime.ledger.finish(claimed, refused("a"), ORIGIN)
    assert (await called(client, "GET", f"{V1}/recipients/ann"))["push_tokens"] == ["b"]
    assert (await called(client, "GET", f"{V1}/suppressions"))["data"] == []
    connection = await asyncpg.connect(database_url)
    rows = await connection.fetch("SELECT messages FROM outbox WHERE topic = 'events'")
    await connection.close()
    events = [
        event
        for row in rows
        for entry in outbox_entries([(1, "events", orjson.loads(row["messages"]))])
        for record in entry.records
        for event in decode_events(record.payload).events
        if event.type == "device_token.deactivated"
    ]
    assert [event.data for event in events] == [
        {
            "recipient_id": "ann",
            "device": device_mark("a"),
            "platform": "ios",
            "notification_id": str(claimed.id),
        }
    ]


async def test_a_dead_token_of_nobody_is_suppressed_until_a_device_registers_it(
    api: tuple[Client, Runtime],
) -> None:
    client, runtime = api
    wanted = {"channel": "push", "recipient": "a", "content": "hi"}
    await runtime.ledger.finish(
        await claim(runtime, await create(client, **wanted)), refused("a"), ORIGIN
    )
    assert (await claim(runtime, await create(client, **wanted))).suppressed == "bounce"
    await called(
        client, "POST", f"{V1}/device-tokens", {"recipient_id": "ann", "token": "a"}, status=201
    )
    assert (await claim(runtime, await create(client, **wanted))).suppressed is None


async def test_a_token_that_came_back_meanwhile_stays(api: tuple[Client, Runtime]) -> None:
    client, runtime = api
    device = {"recipient_id": "ann", "token": "a"}
    await called(client, "POST", f"{V1}/device-tokens", device, status=201)
    claimed = await claim(runtime, await create(client, **PUSH))
    await called(client, "POST", f"{V1}/device-tokens", device, status=201)
    await runtime.ledger.finish(claimed, refused("a"), ORIGIN)
    assert (await called(client, "GET", f"{V1}/recipients/ann"))["push_tokens"] == ["a"]


@pytest.mark.parametrize(
    ("channel", "address"), [("email", "Gone@example.com"), ("sms", "+905000000001")]
)
async def test_other_dead_addresses_are_suppressed(
    api: tuple[Client, Runtime], channel: str, address: str
) -> None:
    client, runtime = api
    wanted = {"channel": channel, "recipient": address, "content": "hi"}
    claimed = await claim(runtime, await create(client, **wanted))
    await runtime.ledger.finish(claimed, refused(address), ORIGIN)
    assert (await claim(runtime, await create(client, **wanted))).suppressed == "bounce"
    listed = (await called(client, "GET", f"{V1}/suppressions"))["data"]
    assert [(e["address"], e["reason"], e["note"]) for e in listed] == [
        (address.lower(), "bounce", "gone")
    ]


async def test_a_platform_stays_until_another_is_said(api: tuple[Client, Runtime]) -> None:
    client, runtime = api
    for platform, kept in (("ios", "ios"), (None, "ios"), ("web", "web")):
        device = {"recipient_id": "ann", "token": "a", "platform": platform}
        await called(client, "POST", f"{V1}/device-tokens", device, status=201)
        row = await runtime.database.fetchrow("SELECT platform FROM device_tokens")
        assert row["platform"] == kept


async def test_a_token_given_with_a_recipient_is_taken_from_another(
    api: tuple[Client, Runtime],
) -> None:
    client, _ = api
    await called(client, "PUT", f"{V1}/recipients/ann", {"push_tokens": ["a", "b"]}, status=201)
    await called(client, "PUT", f"{V1}/recipients/ben", {"push_tokens": ["b", "c"]}, status=201)
    assert (await called(client, "GET", f"{V1}/recipients/ann"))["push_tokens"] == ["a"]
    page = await called(client, "GET", f"{V1}/recipients")
    assert [r["push_tokens"] for r in page["data"]] == [["a"], ["b", "c"]]


async def test_tokens_of_before_move_to_their_table_and_back(database_url: str) -> None:
    step = next(m for m in migrate.known() if m.number == 6)
    connection = await asyncpg.connect(database_url)
    await connection.execute(step.down)
    await connection.execute("""
        WITH t AS (INSERT INTO tenants (id, name) VALUES (gen_random_uuid(), 't') RETURNING id)
        INSERT INTO recipients (tenant_id, id, push_tokens, updated_at)
        SELECT t.id, r.id, r.tokens, now() + r.n * interval '1 minute'
        FROM t, (VALUES ('ann', ARRAY['a', 'b', 'both'], 1), ('ben', ARRAY['c', 'both'], 2), ('cem',
            '{}', 3))
            AS r(id, tokens, n)""")
    await connection.execute(step.up)
    found = await connection.fetch("""
        SELECT recipient_id, array_agg(token ORDER BY last_seen_at) AS tokens
        FROM device_tokens GROUP BY 1 ORDER BY 1""")
    assert [(row["recipient_id"], row["tokens"]) for row in found] == [
        ("ann", ["a", "b"]),
        ("ben", ["c", "both"]),
    ]
    await connection.execute(step.down)
    found = await connection.fetch("SELECT id, push_tokens FROM recipients ORDER BY id")
    assert [tuple(row) for row in found] == [
        ("ann", ["a", "b"]),
        ("ben", ["c", "both"]),
        ("cem", []),
    ]
    await connection.close()
