"""WebSockets over the real handlers and hub: who may open one, what is told to whom, how and when
they are closed.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from aiohttp import WSMsgType, WSServerHandshakeError

from notistream.db import inbox
from notistream.db.inbox import InboxMessage
from notistream.domain.event import Event, Events
from notistream.errors import DatabaseUnavailable
from notistream.realtime.listeners import Realtime
from notistream.web.inbox import streams
from notistream.web.notifications import examples
from notistream.web.server import sockets
from notistream.web.server.reaper import Reaper
from tests.unit.web_fakes import Client, FakeRuntime, problem_of, serving

TENANT = examples.TENANT
PATIENCE_S = 20


@pytest.fixture
async def served() -> AsyncIterator[tuple[Client, FakeRuntime]]:
    async with serving() as (client, fakes):
        yield client, fakes


def realtime_of(fakes: FakeRuntime) -> Realtime:
    assert fakes.realtime is not None
    return fakes.realtime


def tell(fakes: FakeRuntime, *recipients: str, tenant_id: UUID = TENANT, padding: str = "") -> None:
    """One event for each of these recipients."""
    realtime_of(fakes).hub.publish(
        Events(
            1,
            tenant_id,
            [
                Event(
                    uuid4(),
                    "notification.delivered",
                    datetime(2026, 1, 31, tzinfo=UTC),
                    {
                        "notification_id": str(examples.ID),
                        "status": "delivered",
                        "channel": "in_app",
                        "recipient_id": r,
                        "reason": padding,
                    },
                )
                for r in recipients
            ],
        )
    )


def bearer(fakes: FakeRuntime, recipient: str = "u-1", **fields: Any) -> dict[str, str]:
    token = realtime_of(fakes).tokens.issue(TENANT, recipient, **{"ttl_s": 60, **fields})
    return {"Authorization": f"Bearer {token}"}


async def next_of(socket: Any) -> Any:
    return await asyncio.wait_for(socket.receive(), PATIENCE_S)


async def test_a_frame_has_what_clients_read(served: tuple[Client, FakeRuntime]) -> None:
    client, fakes = served
    async with client.ws_connect("/ws") as socket:
        tell(fakes, "u-1")
        frame = (await next_of(socket)).json()
    assert frame["notification_id"] == str(examples.ID)
    assert (frame["status"], frame["timestamp"]) == ("delivered", "2026-01-31T00:00:00Z")


async def test_who_is_told_of_what(served: tuple[Client, FakeRuntime]) -> None:
    client, fakes = served
    async with (
        client.ws_connect("/ws") as everything,
        client.ws_connect("/ws", headers=bearer(fakes)) as own,
    ):
        tell(fakes, "u-2", tenant_id=uuid4())
        tell(fakes, "u-2", "u-1")
        assert [(await next_of(everything)).json()["recipient_id"] for _ in range(2)] == [
            "u-2",
            "u-1",
        ]
        assert (await next_of(own)).json()["recipient_id"] == "u-1"


async def test_a_slow_client_is_dropped_with_4008_and_others_are_not_delayed(
    served: tuple[Client, FakeRuntime],
) -> None:
    client, fakes = served
    async with client.ws_connect("/ws") as quick, client.ws_connect("/ws", autoping=False) as slow:
        slow._reader._protocol.pause_reading()
        sent = 0
        while realtime_of(fakes)._open[TENANT] == 2 and sent < 100_000:
            tell(fakes, *["u-1"] * 10, padding="x" * 10_000)
            sent += 10
            for _ in range(10):
                assert (await next_of(quick)).json()["status"] == "delivered"
        assert realtime_of(fakes)._open[TENANT] == 1
        slow._reader._protocol.resume_reading()
        while (last := await next_of(slow)).type is WSMsgType.TEXT:
            continue
        assert (last.type, last.data, last.extra) == (
            WSMsgType.CLOSE,
            4008,
            "too slow: connect again, and read faster",
        )
        tell(fakes, "u-9")
        assert (await next_of(quick)).json()["recipient_id"] == "u-9"


async def test_a_token_that_ends_ends_its_stream(served: tuple[Client, FakeRuntime]) -> None:
    client, fakes = served
    async with client.ws_connect("/ws", headers=bearer(fakes, ttl_s=1)) as socket:
        message = await next_of(socket)
        assert (message.type, message.data) == (WSMsgType.CLOSE, 4001)


async def test_there_are_only_so_many_connections_per_tenant(
    served: tuple[Client, FakeRuntime],
) -> None:
    client, fakes = served
    open_sockets = [await client.ws_connect("/ws") for _ in range(5)]
    problem = await problem_of(await client.get("/ws", headers=UPGRADE), 503)
    assert problem["code"] == "too_many_connections"
    for socket in open_sockets:
        await socket.close()
    deadline = time.monotonic() + PATIENCE_S
    while realtime_of(fakes)._open:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)
    async with client.ws_connect("/ws"):
        pass


UPGRADE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/ws", {}, 426),
        ("/ws", {**UPGRADE, "Sec-WebSocket-Version": "1"}, 426),
        ("/ws", {**UPGRADE, "Authorization": "Bearer nonsense"}, 401),
        (
            "/ws",
            {**UPGRADE, "Sec-WebSocket-Protocol": "notistream.v1, notistream.token.nonsense"},
            401,
        ),
        ("/ws", {**UPGRADE, "Sec-WebSocket-Protocol": "other"}, 422),
        ("/ws", {**UPGRADE, "Origin": "https://evil.example"}, 401),
        ("/ws", {**UPGRADE, "Origin": "null"}, 401),
        ("/ws", {**UPGRADE, "Origin": "http://["}, 401),
        ("/ws?token=nonsense", UPGRADE, 401),
        ("/ws?since=1", UPGRADE, 422),
        ("/api/v1/inbox/stream", UPGRADE, 422),
        ("/api/v1/inbox/stream?since=7", {**UPGRADE, "X-Recipient-ID": "u"}, 422),
        ("/api/v1/inbox/stream", {**UPGRADE, "X-Recipient-ID": "u"}, 503),
        ("/api/v1/inbox/stream", {"X-Recipient-ID": "u"}, 426),
    ],
)
async def test_refused_before_the_upgrade(
    served: tuple[Client, FakeRuntime], path: str, headers: dict[str, str], status: int
) -> None:
    await problem_of(await served[0].get(path, headers=headers), status)


async def test_a_key_is_needed_where_keys_are_required(served: tuple[Client, FakeRuntime]) -> None:
    client, fakes = served
    fakes.authentication.required = True
    await problem_of(await client.get("/ws", headers=UPGRADE), 401)
    async with client.ws_connect(
        "/ws", headers={"X-API-Key": "good", "Origin": "https://other.example"}
    ):
        pass
    async with client.ws_connect("/ws", headers=bearer(fakes)):
        pass


async def test_a_browser_sends_the_token_as_a_subprotocol(
    served: tuple[Client, FakeRuntime], caplog: pytest.LogCaptureFixture
) -> None:
    client, fakes = served
    token = bearer(fakes)["Authorization"].removeprefix("Bearer ")
    origin = {"Origin": "https://shop.example"}
    offered = ("notistream.v1", f"notistream.token.{token}")
    async with client.ws_connect("/ws", protocols=offered, headers=origin) as socket:
        assert socket.protocol == "notistream.v1"
    with pytest.raises(WSServerHandshakeError):
        await client.ws_connect("/ws", protocols=offered[1:])
    async with client.ws_connect(f"/ws?token={token}"):
        pass
    assert token not in caplog.text


async def test_the_reaper_leaves_living_sockets_alone(served: tuple[Client, FakeRuntime]) -> None:
    client, fakes = served
    async with client.ws_connect("/ws") as socket:
        server = client.server.runner.server
        assert server is not None
        reaper = Reaper()
        assert [reaper.sweep(server.connections, now=now) for now in (0.0, 1000.0, 2000.0)] == [
            0,
            0,
            0,
        ]
        tell(fakes, "u-1")
        assert (await next_of(socket)).type is WSMsgType.TEXT


async def test_a_client_that_answers_no_ping_is_cut_off(
    served: tuple[Client, FakeRuntime], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "HEARTBEAT_S", 0.1)
    client, fakes = served
    async with client.ws_connect("/ws", autoping=False) as socket:
        assert (await next_of(socket)).type is WSMsgType.PING
        assert (await next_of(socket)).type in (WSMsgType.CLOSE, WSMsgType.CLOSED)
    deadline = time.monotonic() + PATIENCE_S
    while realtime_of(fakes)._open:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


STREAM = f"/api/v1/inbox/stream?since={UUID(int=0)}"


async def test_an_inbox_stream_outlives_an_outage_of_postgresql(
    served: tuple[Client, FakeRuntime], monkeypatch: pytest.MonkeyPatch
) -> None:
    client, fakes = served
    monkeypatch.setattr(streams, "DATABASE_RETRY_S", 0.01)
    calls: list[int] = []

    async def after(
        _db: object, _tenant: UUID, _recipient: str, *, seq: int, limit: int
    ) -> list[InboxMessage]:
        calls.append(seq)
        if len(calls) < 3:
            raise DatabaseUnavailable
        return [message(seq + 1)] if seq < 2 and limit else []

    monkeypatch.setattr(inbox, "after", after)
    async with client.ws_connect(STREAM, headers=bearer(fakes)) as socket:
        assert (await next_of(socket)).json()["body"] == "1"
        tell(fakes, "u-2", "u-1")
        assert (await next_of(socket)).json()["body"] == "2"
    assert calls[:4] == [0, 0, 0, 1]


async def test_a_stream_that_fails_is_closed_with_1011(
    served: tuple[Client, FakeRuntime],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    client, fakes = served

    async def broken(*_args: Any, **_options: Any) -> list[InboxMessage]:
        raise ValueError("a bug")

    monkeypatch.setattr(inbox, "after", broken)
    async with client.ws_connect(STREAM, headers=bearer(fakes)) as socket:
        closed = await next_of(socket)
    assert (closed.type, closed.data) == (WSMsgType.CLOSE, 1011)
    assert "a WebSocket failed" in caplog.text


def message(seq: int) -> InboxMessage:
    return InboxMessage(
        id=uuid4(),
        seq=seq,
        notification_id=examples.ID,
        recipient_id="u-1",
        title=None,
        body=str(seq),
        payload={},
        read_at=None,
        created_at=datetime(2026, 1, 31, tzinfo=UTC),
    )
