"""Bulk: one message to many, schedules, expiry, and the cost to show or cancel a batch."""

import io
import json
from typing import Any

import asyncpg
import orjson
import pytest

from notistream.db import batches
from notistream.runtime import Runtime
from tests.integration.test_plans import nodes
from tests.integration.test_recipients import called
from tests.unit.web_fakes import Client, pointers, problem_of

pytestmark = pytest.mark.integration

V1 = "/api/v1"
BULK = f"{V1}/notifications/bulk"
SMS = {
    "channel": "sms",
    "content": "hi",
    "category": "news",
    "metadata": {"campaign": 7},
    "priority": 2,
}


async def test_each_recipient_is_answered_in_order_with_values_of_its_own(client: Client) -> None:
    await called(
        client,
        "POST",
        f"{V1}/templates",
        {"name": "hello", "channel": "email", "body": "{{ greeting }} {{ name }}"},
        status=201,
    )
    shown = await called(
        client,
        "POST",
        BULK,
        {
            "channel": "email",
            "template_id": "hello",
            "payload": {"greeting": "Hi", "name": "you"},
            "type": "promo",
            "recipients": [
                {"recipient": "a@example.com"},
                {"recipient_id": "u-1", "payload": {"name": "Ann"}},
                {"recipient_address": "b@example.com", "template_variables": {"greeting": "Hey"}},
            ],
        },
        status=202,
    )
    found = shown["notifications"]
    assert [n["template_variables"] for n in found] == [
        {"greeting": "Hi", "name": "you"},
        {"greeting": "Hi", "name": "Ann"},
        {"greeting": "Hey", "name": "you"},
    ]
    assert [(n["recipient"], n["recipient_id"]) for n in found] == [
        ("a@example.com", None),
        (None, "u-1"),
        ("b@example.com", None),
    ]
    assert {(n["category"], n["batch_id"]) for n in found} == {("promo", shown["batch"]["id"])}
    assert await called(client, "GET", f"{V1}/notifications/{found[1]['id']}") == found[1]


async def test_one_bad_recipient_never_rejects_its_neighbours(client: Client) -> None:
    shown = await called(
        client,
        "POST",
        BULK,
        {
            **SMS,
            "recipients": [
                {"recipient": "+905000000001"},
                {"recipient": "0500"},
                {},
                {"to": "x"},
                "+905000000002",
                {"recipient": 1},
                {"recipient": "+905000000003", "payload": {}, "template_variables": {"a": 1}},
                {"recipient_id": "u"},
            ],
        },
        status=202,
    )
    assert [n.get("status") for n in shown["notifications"]] == [
        "pending",
        422,
        422,
        422,
        422,
        422,
        422,
        "pending",
    ]
    assert [
        [e["pointer"] for e in n["errors"]] for n in shown["notifications"] if "errors" in n
    ] == [
        ["/recipients/1/recipient"],
        ["/recipients/2/recipient"],
        ["/recipients/3/to"],
        ["/recipients/4"],
        ["/recipients/5/recipient"],
        ["/recipients/6/payload"],
    ]
    counts = ("total_count", "pending_count", "rejected_count")
    assert [shown["batch"][name] for name in counts] == [2, 2, 6]


async def test_what_is_wrong_with_the_message_is_said_of_the_message(client: Client) -> None:
    shown = await called(
        client,
        "POST",
        BULK,
        {**SMS, "content": "x" * 161, "recipients": [{"recipient": "0500"}]},
        status=202,
    )
    assert [e["pointer"] for e in shown["notifications"][0]["errors"]] == [
        "/recipients/0/recipient",
        "/content",
    ]


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({**SMS, "recipients": []}, "/recipients"),
        (SMS, "/recipients"),
        ({**SMS, "recipients": [{"recipient_id": "u"}] * 1001}, "/recipients"),
        ({**SMS, "recipients": [{"recipient_id": "u"}], "recipient": "x"}, "/recipient"),
        (
            {**SMS, "recipients": [{"recipient_id": "u"}], "idempotency_key": "k"},
            "/idempotency_key",
        ),
        (
            {
                **SMS,
                "recipients": [{"recipient_id": "u"}],
                "payload": {"a": 1},
                "template_variables": {},
            },
            "/payload",
        ),
        ({"content": "x", "recipients": [{"recipient_id": "u"}]}, "/channel"),
    ],
)
async def test_bodies_that_are_no_bulk(client: Client, body: dict[str, Any], place: str) -> None:
    assert pointers(await problem_of(await client.post(BULK, json=body), 422)) == [place]


async def test_a_thousand_recipients_once_per_header(client: Client) -> None:
    body = {
        **SMS,
        "recipients": [{"recipient": f"+90500{n:07}", "payload": {"n": n}} for n in range(1000)],
    }
    headers = {"Idempotency-Key": "campaign-7"}
    first, second = [await client.post(BULK, json=body, headers=headers) for _ in range(2)]
    assert (first.status, second.status, second.headers["Idempotency-Replayed"]) == (
        202,
        202,
        "true",
    )
    shown = await first.json()
    assert await second.json() == shown
    assert first.headers["Location"] == f"{V1}/batches/{shown['batch']['id']}"
    assert (await called(client, "GET", f"{V1}/batches/{shown['batch']['id']}"))[
        "total_count"
    ] == 1000
    assert [n["payload"]["n"] for n in shown["notifications"]] == list(range(1000))


async def test_more_than_a_mebibyte_is_taken(client: Client) -> None:
    recipients = [{"recipient_id": f"u{n}", "payload": {"text": "x" * 3000}} for n in range(1000)]
    body = io.BytesIO(json.dumps({**SMS, "recipients": recipients}).encode())
    answer = await client.post(BULK, data=body, headers={"Content-Type": "application/json"})
    assert (answer.status, (await answer.json())["batch"]["total_count"]) == (202, 1000)


@pytest.mark.parametrize(
    "scheduled_at",
    [
        "2099-01-01T12:00:00+03:00",
        "2099-01-01T09:00:00Z",
        "2099-01-01T04:00:00-05:00",
        "2099-01-01T14:45:00+05:45",
    ],
)
async def test_it_is_scheduled_in_any_zone(client: Client, scheduled_at: str) -> None:
    shown = await called(
        client,
        "POST",
        BULK,
        {
            **SMS,
            "scheduled_at": scheduled_at,
            "expires_at": "2099-01-02T00:00:00+14:00",
            "recipients": [{"recipient_id": "u"}],
        },
        status=202,
    )
    found = shown["notifications"][0]
    assert (found["status"], found["scheduled_at"]) == ("scheduled", "2099-01-01T09:00:00Z")
    assert found["expires_at"] == "2099-01-01T10:00:00Z"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"expires_at": "2020-01-01T00:00:00Z"}, "must lie in the future"),
        ({"scheduled_at": "2099-01-01T00:00:00Z", "expires_at": "2098-12-31T23:00:00-05:00"}, None),
        (
            {"scheduled_at": "2099-01-01T00:00:00Z", "expires_at": "2099-01-01T03:00:00+03:00"},
            "must be later",
        ),
    ],
)
async def test_an_expiry_lies_ahead_of_it_all(
    client: Client, fields: dict[str, str], message: str | None
) -> None:
    shown = await called(
        client, "POST", BULK, {**SMS, **fields, "recipients": [{"recipient_id": "u"}]}, status=202
    )
    errors = shown["notifications"][0].get("errors", [])
    assert [(e["pointer"], message in e["message"]) for e in errors] == (
        [("/expires_at", True)] if message else []
    )


async def test_a_whole_batch_is_cancelled(client: Client) -> None:
    shown = await called(
        client,
        "POST",
        BULK,
        {
            **SMS,
            "scheduled_at": "2099-01-01T00:00:00Z",
            "recipients": [{"recipient_id": f"u{n}"} for n in range(600)],
        },
        status=202,
    )
    path = f"{V1}/batches/{shown['batch']['id']}"
    one = shown["notifications"][0]["id"]
    await called(client, "DELETE", f"{V1}/notifications/{one}")
    done = await called(client, "POST", f"{path}/cancel", {})
    assert (done["total_count"], done["pending_count"], done["cancelled_count"]) == (600, 0, 600)
    assert await called(client, "GET", path) == done
    assert (await called(client, "GET", f"{V1}/notifications/{shown['notifications'][1]['id']}"))[
        "reason"
    ] == "cancelled with its batch"


async def test_the_counts_of_a_batch_are_one_query_of_its_own_rows(
    api: tuple[Client, Runtime], database_url: str
) -> None:
    client, _ = api
    connection = await asyncpg.connect(database_url)
    await connection.execute(
        """
        INSERT INTO notifications (id, tenant_id, batch_id, channel, priority, status, recipient,
            content)
        SELECT gen_random_uuid(), gen_random_uuid(), b.id, 'sms', 'normal', 'delivered',
            '+905000000001', 'hi'
        FROM (SELECT gen_random_uuid() AS id
            FROM generate_series(1, 50)) b, generate_series(1, 400)"""
    )
    shown = await called(
        client,
        "POST",
        BULK,
        {**SMS, "recipients": [{"recipient_id": f"u{n}"} for n in range(100)]},
        status=202,
    )
    await connection.execute("ANALYZE notifications")
    batch = shown["batch"]
    get, *given = batches.SQL["get"](tenant_id=batch["tenant_id"], id=batch["id"])
    plan = orjson.loads(await connection.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {get}", *given))[
        0
    ]["Plan"]
    scans = [node for node in nodes(plan) if node.get("Relation Name") == "notifications"]
    indexes = [
        node["Index Name"]
        for node in nodes(plan)
        if node.get("Index Name", "").startswith("notifications")
    ]
    assert [scan["Actual Rows"] for scan in scans] == [100]
    assert indexes == ["notifications_batch"]
    await connection.close()
