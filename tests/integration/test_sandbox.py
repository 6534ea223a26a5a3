"""The sandbox with a real PostgreSQL and worker: what is accepted with a test key is kept, listed
and never sent.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from notistream.access.authentication import new_key
from notistream.db import sandbox, tenants
from notistream.runtime import Runtime
from notistream.web.sandbox.routes import SANDBOX
from tests.integration.test_api_contract import serving
from tests.providers.case import SMS
from tests.unit.web_fakes import Client, pointers, problem_of

pytestmark = pytest.mark.integration
MESSAGES = "/api/v1/sandbox/messages"


@pytest.fixture
async def api(database_url: str) -> AsyncIterator[tuple[Client, Runtime]]:
    async with serving(database_url, auth="on") as served:
        yield served


async def tenant_with_key(runtime: Runtime, name: str) -> tuple[Any, dict[str, str]]:
    tenant, _ = await tenants.create(runtime.database, name)
    key, prefix, hashed = new_key("test")
    await tenants.issue_key(
        runtime.database,
        tenant.id,
        tenants.NewKey(name="k", kind="test", prefix=prefix, hash=hashed),
    )
    return tenant.id, {"X-API-Key": key}


async def keep(runtime: Runtime, tenant_id: Any, outcome: str = "delivered", **fields: Any) -> None:
    id_ = uuid4()
    message = replace(
        SMS,
        **{"tenant_id": tenant_id, "notification_id": id_, "idempotency_key": str(id_), **fields},
    )
    await sandbox.keep(runtime.database, message, outcome)


async def test_list_filters_walks_and_shows_no_other_tenants(api: tuple[Client, Runtime]) -> None:
    client, runtime = api
    a, mine = await tenant_with_key(runtime, "a")
    b, other = await tenant_with_key(runtime, "b")
    for n in range(3):
        await keep(
            runtime, a, recipient=f"+9055500000{n}", idempotency_key=f"k{n}", headers={"X-A": "b"}
        )
    await keep(runtime, a, "temporary", idempotency_key="k2", recipient="+90555000002")
    await keep(
        runtime, b, channel="email", recipient="b@example.com", idempotency_key="k0", html="<p>"
    )

    async def listed(query: str = "", headers: dict[str, str] = mine) -> dict[str, Any]:
        answer = await client.get(f"{MESSAGES}{query}", headers=headers)
        assert answer.status == 200, await answer.text()
        return dict(await answer.json())

    page = await listed("?page_size=2")
    rest = await listed(f"?page_size=2&cursor={page['next_cursor']}")
    found = page["data"] + rest["data"]
    assert [m["recipient"] for m in found] == ["+90555000002", "+90555000001", "+90555000000"]
    assert rest["next_cursor"] is None
    assert [(m["tries"], m["outcome"]) for m in found] == [
        (2, "temporary"),
        (1, "delivered"),
        (1, "delivered"),
    ]
    assert found[1]["headers"] == {"X-A": "b"}
    assert len((await listed("?recipient=%2B90555000001"))["data"]) == 1
    assert (await listed("?channel=email"))["data"] == []
    theirs = (await listed(headers=other))["data"]
    assert [(m["channel"], m["html"]) for m in theirs] == [("email", "<p>")]
    assert pointers(
        await problem_of(await client.get(f"{MESSAGES}?cursor=x", headers=mine), 422)
    ) == ["/query/cursor"]
    await problem_of(await client.get(MESSAGES), 401)
    example = SANDBOX[0].operation.answers[200].content.examples["page"]["data"][0]
    assert found[0].keys() == example.keys()


async def test_only_the_newest_of_a_tenant_are_kept_and_for_a_week(
    api: tuple[Client, Runtime],
) -> None:
    _, runtime = api
    a, _ = await tenant_with_key(runtime, "a")
    b, _ = await tenant_with_key(runtime, "b")
    for tenant, count in ((a, 5), (b, 2)):
        for n in range(count):
            await keep(runtime, tenant, content=str(n))
    await runtime.database.fetch(
        "UPDATE sandbox_messages SET created_at = now() - interval '8 days' WHERE tenant_id = $1"
        " AND content = '1'",
        b,
    )
    assert await sandbox.forget(runtime.database, kept=3) == 3

    async def contents(tenant: Any) -> list[str]:
        page = await sandbox.list_page(
            runtime.database, tenant, before=None, recipient=None, channel=None, limit=10
        )
        return [message.content for message in page]

    assert (await contents(a), await contents(b)) == (["4", "3", "2"], ["0"])
    assert await runtime.upkeep.forget_keys() == 0


async def test_what_a_test_key_accepts_is_kept_and_reaches_no_real_provider(running: Any) -> None:
    product, ledger = running
    ids = {
        recipient: await product.create(recipient=recipient, **fields)
        for recipient, fields in {
            "+905000000001": {},
            "+15005550001": {},
            "user-1": {"channel": "in_app"},
            "ada+dead@example.com": {"channel": "email"},
        }.items()
    }
    connection = await asyncpg.connect(product.database_url)
    await connection.execute(
        "UPDATE notifications SET test = true"
    )  # as if a test key had sent them
    await connection.close()
    live = await product.create(recipient="+905000000002")
    await product.worker()
    ended = await asyncio.gather(*(product.ended(id_) for id_ in ids.values()))
    assert [found["status"] for found in ended] == ["delivered", "failed", "delivered", "failed"]
    await product.ended(live)
    assert [call["to"] for call in ledger.calls] == ["+905000000002"]
    _, kept = await product.call("GET", MESSAGES)
    assert {m["recipient"]: m["outcome"] for m in kept["data"]} == dict(
        zip(ids, ["delivered", "permanent", "delivered", "dead"], strict=True)
    )
    _, trace = await product.call("GET", f"/api/v1/notifications/{ids['+905000000001']}/trace")
    assert {step["gate"]: step["verdict"] for step in trace["steps"]}["provider"] == "sandbox"
    assert [attempt["provider"] for attempt in trace["attempts"]] == ["sandbox"]
