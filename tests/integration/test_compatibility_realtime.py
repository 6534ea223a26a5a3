"""Rows of compatibility.md about inboxes, tokens and status updates, each as a client of the second
system uses it.
"""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
from aiohttp import WSServerHandshakeError
from uuid_utils.compat import uuid7

from notistream.access.authentication import new_key
from notistream.db import tenants
from notistream.delivery.ports import Message
from notistream.domain.event import decode_events
from notistream.kafka.outbox import outbox_entries
from notistream.runtime import Runtime
from tests.integration.test_api_contract import serving
from tests.unit.web_fakes import Client, problem_of

pytestmark = pytest.mark.integration

ANN = {"X-Recipient-ID": "ann"}
SECRET = "compat-test-secret-0123456789abcdefg"
FIELDS = {
    "id",
    "notification_id",
    "recipient_id",
    "title",
    "body",
    "payload",
    "read_at",
    "created_at",
}


@pytest.fixture
async def api(database_url: str) -> AsyncIterator[tuple[Client, Runtime, UUID]]:
    async with serving(database_url, jwt_secret=SECRET) as (client, runtime):
        tenant, _ = await tenants.create(runtime.database, "default")
        yield client, runtime, tenant.id


async def delivered(runtime: Runtime, tenant_id: UUID, *texts: str) -> list[str]:
    """Ids of in-app messages to ann, as the provider keeps them."""
    return [
        str(
            await runtime.inbox.keep(
                Message(
                    notification_id=uuid7(),
                    tenant_id=tenant_id,
                    channel="in_app",
                    recipient="ann",
                    subject="Hello",
                    content=text,
                    payload={"n": text},
                    idempotency_key=text,
                )
            )
        )
        for text in texts
    ]


async def got(client: Client, path: str, **headers: str) -> Any:
    answer = await client.get(path, headers={**ANN, **headers})
    assert answer.status == 200, await answer.text()
    return await answer.json()


async def issued(client: Client) -> str:
    answer = await client.post("/api/v1/ws-token", json={"recipient_id": "ann"})
    assert answer.status == 200, await answer.text()
    return str((await answer.json())["token"])


async def test_ws_token_answers_token_and_expires_in(api: tuple[Client, Runtime, UUID]) -> None:
    """| ws-token | `{token, expires_in}` |"""
    client, _, _ = api
    answer = await client.post("/api/v1/ws-token", json={"recipient_id": "ann"})
    shown = await answer.json()
    assert (answer.status, set(shown), shown["expires_in"]) == (200, {"token", "expires_in"}, 3600)
    assert shown["token"].count(".") == 2


async def test_inbox_message_and_unread_count_and_reads(api: tuple[Client, Runtime, UUID]) -> None:
    """| inbox message | `{id, notification_id, recipient_id, title, body, payload, read_at,
    created_at}`; unread count `{"unread": n}`; reads answer 204 |
    """
    client, runtime, tenant_id = api
    one, _ = await delivered(runtime, tenant_id, "a", "b")
    page = await got(client, "/api/v1/inbox")
    assert all(set(message) == FIELDS for message in page["data"])
    first = page["data"][-1]
    assert (
        first["id"],
        first["recipient_id"],
        first["title"],
        first["body"],
        first["payload"],
        first["read_at"],
    ) == (one, "ann", "Hello", "a", {"n": "a"}, None)
    assert await got(client, "/api/v1/inbox/unread-count") == {"unread": 2}
    assert (await client.post(f"/api/v1/inbox/{one}/read", headers=ANN)).status == 204
    assert await got(client, "/api/v1/inbox/unread-count") == {"unread": 1}
    assert (await client.post("/api/v1/inbox/read-all", headers=ANN)).status == 204
    assert await got(client, "/api/v1/inbox/unread-count") == {"unread": 0}


async def test_inbox_takes_unread_limit_and_after_id(api: tuple[Client, Runtime, UUID]) -> None:
    """| B inbox `unread`, `limit`, `after_id`; … | accepted; … |"""
    client, runtime, tenant_id = api
    ids = await delivered(runtime, tenant_id, "a", "b", "c")
    assert [m["body"] for m in (await got(client, "/api/v1/inbox?limit=2"))["data"]] == ["c", "b"]
    assert [
        m["body"] for m in (await got(client, f"/api/v1/inbox?after_id={ids[1]}&limit=5"))["data"]
    ] == ["a"]
    await client.post(f"/api/v1/inbox/{ids[2]}/read", headers=ANN)
    assert [m["body"] for m in (await got(client, "/api/v1/inbox?unread=true"))["data"]] == [
        "b",
        "a",
    ]


async def test_stream_takes_token_and_since(api: tuple[Client, Runtime, UUID]) -> None:
    """| … stream `?token=`, `?since=` | accepted; a token in a URL is kept out of logs |

    That it is in no log is shown with real processes, in test_realtime.py.
    """
    client, runtime, tenant_id = api
    ids = await delivered(runtime, tenant_id, "a", "b", "c")
    token = await issued(client)
    async with client.ws_connect(f"/api/v1/inbox/stream?token={token}&since={ids[0]}") as socket:
        assert [(await socket.receive_json())["body"] for _ in range(2)] == ["b", "c"]
    for query in (f"token={token}x", "token=", f"token={token}&since={uuid7()}"):
        with pytest.raises(WSServerHandshakeError) as refused:
            await client.ws_connect(f"/api/v1/inbox/stream?{query}")
        assert refused.value.status == (422 if "since" in query else 401)


@pytest.mark.parametrize("how", ["key", "token"])
async def test_ws_is_opened_with_a_key_or_a_token_and_its_frames_have_these_fields(
    database_url: str, how: str
) -> None:
    """A frame of /ws: `notification_id`, `status`, `timestamp`; by `X-API-Key` or a ws-jwt."""
    async with serving(database_url, jwt_secret=SECRET, auth="on") as (client, runtime):
        tenant, _ = await tenants.create(runtime.database, "a")
        key, prefix, hashed = new_key("live")
        await tenants.issue_key(
            runtime.database,
            tenant.id,
            tenants.NewKey(name="k", kind="live", prefix=prefix, hash=hashed),
        )
        with_key = {"X-API-Key": key}
        await problem_of(await client.post("/api/v1/ws-token", json={"recipient_id": "ann"}), 401)
        answer = await client.post(
            "/api/v1/ws-token", json={"recipient_id": "ann"}, headers=with_key
        )
        token = (await answer.json())["token"]
        with pytest.raises(WSServerHandshakeError) as refused:
            await client.ws_connect("/ws")
        assert refused.value.status == 401
        headers = with_key if how == "key" else {"Authorization": f"Bearer {token}"}
        async with client.ws_connect("/ws", headers=headers) as socket:
            created = await client.post(
                "/api/v1/notifications",
                headers=with_key,
                json={
                    "channel": "in_app",
                    "recipient": "ann",
                    "content": "x",
                    "scheduled_at": "2099-01-01T00:00:00Z",
                },
            )
            notification_id = (await created.json())["id"]
            publish = runtime.realtime.hub.publish
            await client.delete(f"/api/v1/notifications/{notification_id}", headers=with_key)
            for events in await told(runtime):
                publish(events)
            frame = await socket.receive_json()
        assert {"notification_id", "status", "timestamp"} <= frame.keys()
        assert (frame["notification_id"], frame["status"]) == (notification_id, "cancelled")


async def told(runtime: Runtime) -> list[Any]:
    """What the outbox has for the topic `events`: Kafka is away here."""
    rows = await runtime.database.fetch(
        "SELECT id, topic, messages FROM outbox WHERE topic = 'events'"
    )
    return [
        decode_events(r.value)
        for e in outbox_entries([tuple(row) for row in rows])
        for r in e.records
    ]
