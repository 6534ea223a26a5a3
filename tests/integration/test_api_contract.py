"""The HTTP contract over the real use cases and a real PostgreSQL.

Kafka is away, and nobody who asks notices.
"""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient, TestServer

from notistream.access.authentication import digest, key_prefix, new_key
from notistream.console import routes as console
from notistream.db import tenants
from notistream.runtime import Runtime
from notistream.settings.model import Settings
from notistream.web.routes import MIDDLEWARES, install
from tests.unit.web_fakes import SERVED, Client, pointers, problem_of

pytestmark = pytest.mark.integration

V1 = "/api/v1"
NOTIFICATIONS = f"{V1}/notifications"
NOBODY = "127.0.0.1:1"
SMS = {"channel": "sms", "recipient": "+905000000000", "content": "hi"}


@asynccontextmanager
async def serving(database_url: str, **settings: Any) -> AsyncIterator[tuple[Client, Runtime]]:
    runtime = Runtime(
        Settings(
            _env_file=None,
            database_url=database_url,
            kafka_brokers=NOBODY,
            **{"auth": "off", **settings},
        ),
        "api",
    )
    runtime.start()
    app = web.Application(middlewares=MIDDLEWARES)
    install(app, runtime, SERVED)
    console.prepare(app)
    try:
        async with TestClient(TestServer(app)) as client:
            yield client, runtime
    finally:
        await runtime.close()


async def listed(client: Client, query: str = "") -> list[dict[str, Any]]:
    answer = await client.get(f"{NOTIFICATIONS}?page_size=100{query}")
    assert answer.status == 200, await answer.text()
    data: list[dict[str, Any]] = (await answer.json())["data"]
    return data


async def created(client: Client, **fields: Any) -> dict[str, Any]:
    answer = await client.post(NOTIFICATIONS, json={**SMS, **fields})
    assert answer.status == 202, await answer.text()
    shown: dict[str, Any] = await answer.json()
    return shown


async def test_what_create_answers_is_what_get_answers(api: tuple[Client, Runtime]) -> None:
    client, _ = api
    wanted = {
        "subject": "s",
        "recipient_id": "u-1",
        "priority": 9,
        "type": "digest",
        "metadata": {"a": [1, None, 2.5]},
        "payload": {"x": {"y": "é"}},
        "scheduled_at": "2099-01-01T12:00:00.25+03:00",
        "expires_at": "2100-01-01T00:00:00Z",
        "idempotency_key": "k",
        "on_unknown": "hold",
    }
    shown = await created(client, **wanted)
    assert await (await client.get(f"{NOTIFICATIONS}/{shown['id']}")).json() == shown
    assert await listed(client) == [shown]
    assert (shown["status"], shown["priority"], shown["category"]) == ("scheduled", "low", "digest")
    assert shown["scheduled_at"] == shown["next_eligible_at"] == "2099-01-01T09:00:00.250000Z"
    assert shown["payload"] == shown["template_variables"] == wanted["payload"]


async def test_a_hundred_requests_with_one_key_make_one_notification(
    api: tuple[Client, Runtime],
) -> None:
    client, _ = api

    async def one() -> ClientResponse:
        return await client.post(NOTIFICATIONS, json={**SMS, "idempotency_key": "same"})

    answers = await asyncio.gather(*(one() for _ in range(100)))
    assert sorted(a.status for a in answers) == [202] + [409] * 99
    assert len({(await a.json())["id"] for a in answers}) == 1
    assert len(await listed(client)) == 1


async def test_a_hundred_requests_with_one_header_make_one_notification(
    api: tuple[Client, Runtime],
) -> None:
    client, _ = api

    async def one() -> ClientResponse:
        return await client.post(NOTIFICATIONS, json=SMS, headers={"Idempotency-Key": "same"})

    answers = await asyncio.gather(*(one() for _ in range(100)))
    assert {a.status for a in answers} <= {202, 409}
    assert len({(await a.json())["id"] for a in answers if a.status == 202}) == 1
    assert (await one()).headers["Idempotency-Replayed"] == "true"
    problem = await problem_of(
        await client.post(
            NOTIFICATIONS, json={**SMS, "content": "other"}, headers={"Idempotency-Key": "same"}
        ),
        422,
    )
    assert problem["code"] == "idempotency_key_reused"
    assert len(await listed(client)) == 1


async def test_batch_items_are_answered_one_by_one(api: tuple[Client, Runtime]) -> None:
    client, _ = api
    await created(client, idempotency_key="taken")
    items = [
        SMS,
        {**SMS, "recipient": "0500"},
        {**SMS, "idempotency_key": "taken"},
        {**SMS, "idempotency_key": "new"},
        {**SMS, "idempotency_key": "new"},
        {"channel": "sms", "to": 1},
    ]
    answer = await client.post(f"{NOTIFICATIONS}/batch", json={"notifications": items})
    shown = await answer.json()
    assert answer.status == 202, shown
    assert [n["status"] for n in shown["notifications"]] == [
        "pending",
        422,
        409,
        "pending",
        409,
        422,
    ]
    assert pointers(shown["notifications"][1]) == ["/notifications/1/recipient"]
    assert pointers(shown["notifications"][5]) == ["/notifications/5/to"]
    batch = await (await client.get(answer.headers["Location"])).json()
    assert batch == shown["batch"]
    assert (batch["total_count"], batch["pending_count"], batch["rejected_count"]) == (2, 2, 4)
    assert len(await listed(client, f"&batch_id={batch['id']}")) == 2


@pytest.mark.parametrize(
    "bad", [{**SMS, "recipient": "0500"}, {**SMS, "idempotency_key": "taken"}, {"to": 1}, 7]
)
async def test_an_atomic_batch_is_all_or_nothing(api: tuple[Client, Runtime], bad: Any) -> None:
    client, _ = api
    await created(client, idempotency_key="taken")
    answer = await client.post(
        f"{NOTIFICATIONS}/batch?atomic=true", json={"notifications": [SMS, bad]}
    )
    problem = await problem_of(answer, answer.status)
    assert answer.status in (409, 422)
    assert all(p.startswith("/notifications/1") for p in pointers(problem))
    assert len(await listed(client)) == 1
    good = await client.post(
        f"{NOTIFICATIONS}/batch?atomic=true", json={"notifications": [SMS, SMS]}
    )
    assert good.status == 202


async def test_cancel_and_trace(api: tuple[Client, Runtime]) -> None:
    client, _ = api
    for cancel in (lambda p: client.delete(p), lambda p: client.patch(f"{p}/cancel")):
        path = f"{NOTIFICATIONS}/{(await created(client))['id']}"
        shown = await (await cancel(path)).json()
        assert (shown["status"], shown["final"], shown["content"]) == ("cancelled", True, "hi")
        await problem_of(await cancel(path), 409)
        trace = await (await client.get(f"{path}/trace")).json()
        assert [s["verdict"] for s in trace["steps"]] == ["accepted", "cancelled"]
    await problem_of(
        await client.delete(f"{NOTIFICATIONS}/00000000-0000-7000-8000-000000000000"), 404
    )


async def test_list_walks_through_all_pages_and_filters(api: tuple[Client, Runtime]) -> None:
    client, _ = api
    made = [
        await created(client, recipient=f"+90500000000{n}", recipient_id=f"u{n % 2}")
        for n in range(5)
    ]
    email = await created(client, channel="email", recipient="a@example.com")
    seen: list[str] = []
    cursor = ""
    while cursor is not None:
        page = await (await client.get(f"{NOTIFICATIONS}?page_size=4{cursor}")).json()
        seen += [n["id"] for n in page["data"]]
        cursor = f"&cursor={page['next_cursor']}" if page["next_cursor"] else None
    assert seen == [n["id"] for n in reversed([*made, email])]
    await client.delete(f"{NOTIFICATIONS}/{made[0]['id']}")
    for query, count in {
        "channel=email": 1,
        "status=queued": 5,
        "status=cancelled,queued": 6,
        "status=dropped": 0,
        "recipient_id=u1": 2,
        "recipient=%2B905000000003": 1,
        "date_from=2000-01-01T00:00:00Z": 6,
        "date_to=2000-01-01T00:00:00%2B03:00": 0,
        "date_from=2000-01-01T00:00:00+03:00": 6,
        "template=welcome": 0,
        "channel=inapp": 0,
    }.items():
        assert len(await listed(client, f"&{query}")) == count, query


async def test_templates(api: tuple[Client, Runtime]) -> None:
    client, _ = api
    wanted = {"name": "hello", "channel": "sms", "body": "Hi {{.Name}}", "metadata": {"team": "a"}}
    answer = await client.post(f"{V1}/templates", json=wanted)
    stored = await answer.json()
    assert answer.status == 201
    assert await (await client.get(answer.headers["Location"])).json() == stored
    assert (await problem_of(await client.post(f"{V1}/templates", json=wanted), 409))[
        "code"
    ] == "template_exists"
    assert [
        t["id"] for t in (await (await client.get(f"{V1}/templates?name=hello")).json())["data"]
    ] == [stored["id"]]
    by_name = await created(
        client, content=None, template_id="hello", template_variables={"Name": "Ada"}
    )
    assert by_name["template_id"] == stored["id"]
    for fields, place in (
        ({"template_id": "nobody"}, "/template_id"),
        ({"template_id": "hello"}, "/template_variables/Name"),
        ({"template_id": stored["id"], "channel": "push"}, "/template_id"),
    ):
        body = {k: v for k, v in {**SMS, **fields}.items() if k != "content"}
        assert pointers(await problem_of(await client.post(NOTIFICATIONS, json=body), 422)) == [
            place
        ], fields
    for source, word in (
        ("{{if eq .X 1}}a{{end}}", "Jinja2"),
        ("{% if %}", "line 1"),
        (" ", "empty"),
    ):
        problem = await problem_of(
            await client.post(f"{V1}/templates", json={**wanted, "name": "n", "body": source}), 422
        )
        assert pointers(problem) == ["/body"]
        assert word in problem["detail"]


async def test_tenants_do_not_see_each_other(database_url: str) -> None:
    async with serving(database_url, auth="on") as (client, runtime):
        keys = []
        for name in ("a", "b"):
            tenant, _ = await tenants.create(runtime.database, name)
            key, prefix, hashed = new_key("live")
            await tenants.issue_key(
                runtime.database, tenant.id, name="k", kind="live", prefix=prefix, digest=hashed
            )
            keys.append({"X-API-Key": key})
        mine, other = keys
        shown = await (
            await client.post(NOTIFICATIONS, json={**SMS, "idempotency_key": "k"}, headers=mine)
        ).json()
        path = f"{NOTIFICATIONS}/{shown['id']}"
        assert (await client.get(path, headers=mine)).status == 200
        for call in (
            client.get(path, headers=other),
            client.delete(path, headers=other),
            client.get(f"{path}/trace", headers=other),
        ):
            await problem_of(await call, 404)
        again = await client.post(
            NOTIFICATIONS, json={**SMS, "idempotency_key": "k"}, headers=other
        )
        assert again.status == 202
        assert len((await (await client.get(NOTIFICATIONS, headers=other)).json())["data"]) == 1
        unknown = f"ns_live_{secrets.token_urlsafe(32)}"
        assert key_prefix(unknown) != key_prefix(mine["X-API-Key"])
        assert digest(unknown) != digest(mine["X-API-Key"])
        for headers in (
            {},
            {"X-API-Key": unknown},
            {"X-API-Key": mine["X-API-Key"] + "x"},
            {"X-API-Key": "é"},
        ):
            await problem_of(await client.get(path, headers=headers), 401)


BAD: dict[str, tuple[Any, int]] = {
    "malformed": (b"{", 400),
    "trailing garbage": (b"{}x", 400),
    "nested": (b"[" * 10_000, 400),
    "unknown channel": ({**SMS, "channel": "fax"}, 422),
    "wrong phone": ({**SMS, "recipient": "0500"}, 422),
    "161 characters": ({**SMS, "content": "x" * 161}, 422),
    "unknown field": ({**SMS, "to": 1}, 422),
    "NUL": ({**SMS, "content": "a\0"}, 422),
    "NUL in template": ({**SMS, "template_id": "a\0"}, 422),
    "NUL in key": ({**SMS, "idempotency_key": "a\0"}, 422),
    "NUL in metadata": ({**SMS, "metadata": {"\0": 1}}, 422),
    "huge integer": (
        b'{"channel":"push","recipient":"t","content":"x","metadata":{"a":' + b"9" * 400 + b"}}",
        422,
    ),
    "year 1": ({**SMS, "scheduled_at": "0001-01-01T00:00:00+14:00"}, 422),
}


@pytest.mark.parametrize(("body", "status"), BAD.values(), ids=BAD)
async def test_bad_input_stores_nothing_and_the_process_goes_on(
    api: tuple[Client, Runtime], body: Any, status: int
) -> None:
    client, _ = api
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    await problem_of(await client.post(NOTIFICATIONS, data=data, headers=headers), status)
    assert await listed(client) == []
    await created(client)


@pytest.mark.parametrize(
    "extreme",
    [
        {
            "metadata": {
                "a": 2**64 - 1,
                "b": -(2**63),
                "c": 1.7e308,
                "d": 5e-324,
                "e": 0.1,
                "f": -0.0,
            }
        },
        {"metadata": {"\u2028": "\U0001f600\ufffe\uffff", "": ""}},
        {"scheduled_at": "9999-12-31T23:59:59.999998Z"},
        {"idempotency_key": "k" * 255, "category": "ü" * 255},
        {"recipient": "t" * 4096, "channel": "push", "content": "\U0001f600" * 4096},
    ],
)
async def test_extreme_but_valid_values_survive(
    api: tuple[Client, Runtime], extreme: dict[str, Any]
) -> None:
    client, _ = api
    shown = await created(client, **extreme)
    assert await (await client.get(f"{NOTIFICATIONS}/{shown['id']}")).json() == shown


async def test_figures_and_readiness(api: tuple[Client, Runtime]) -> None:
    client, _ = api
    await created(client)
    channels = (await (await client.get(f"{V1}/metrics")).json())["channels"]
    assert {c["sent"] for c in channels.values()} == {0}
    answer = await client.get("/health/ready")
    shown = await answer.json()
    assert (answer.status, shown["status"]) == (503, "not_ready")
    assert shown["checks"]["database"] == "healthy"
    assert shown["checks"]["kafka"].startswith("unreachable")


async def test_without_postgresql_the_answer_is_503_and_quick() -> None:
    async with serving(f"postgresql://x@{NOBODY}/x") as (client, _):
        async with asyncio.timeout(5):
            for answer in (
                await client.post(NOTIFICATIONS, json=SMS),
                await client.get(NOTIFICATIONS),
                await client.post(NOTIFICATIONS, json=SMS, headers={"Idempotency-Key": "k"}),
            ):
                problem = await problem_of(answer, 503)
                assert problem["code"] == "database_unavailable"
                assert answer.headers["Retry-After"] == "1"
        assert (await client.get("/health")).status == 200
