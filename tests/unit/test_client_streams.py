"""Streams reconnect, continue where they stopped, and end when another try is of no use."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from notistream_client import (
    START,
    ApiError,
    AsyncClient,
    InvalidRequest,
    Retries,
    TokenExpired,
    Unauthorized,
    UnexpectedAnswer,
)
from tests.serving import listening

QUICK = Retries(first_wait_s=0.01, longest_wait_s=0.02)
Connection = Callable[[web.Request], Any]


def message(number: int) -> dict[str, Any]:
    return {
        "id": f"00000000-0000-7000-8000-{number:012}",
        "notification_id": "n",
        "recipient_id": "ü",
        "body": str(number),
        "payload": {},
        "created_at": "2026-01-31T09:00:00Z",
    }


def update(number: int) -> dict[str, Any]:
    return {
        "id": str(number),
        "type": "notification.delivered",
        "notification_id": "n",
        "status": "delivered",
        "timestamp": "2026-01-31T09:00:00Z",
        "channel": "sms",
        "priority": "low",
        "attempts": 1,
        "chain": 1,
    }


def sends(*frames: Any, code: int = 1012, abort: bool = False) -> Connection:
    """A connection that sends these frames, then ends so."""

    async def serve(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        for frame in frames:
            await (socket.send_str(frame) if isinstance(frame, str) else socket.send_json(frame))
        if abort:
            assert request.transport is not None
            request.transport.abort()
        else:
            await socket.close(code=code, message=b"words")
        return socket

    return serve


def refuses(status: int, **headers: str) -> Connection:
    async def serve(_: web.Request) -> web.StreamResponse:
        return web.json_response(
            {"code": f"code_{status}", "status": status}, status=status, headers=headers
        )

    return serve


class Script:
    """One way to serve after the other; then connections stay silent."""

    def __init__(
        self, *connections: Connection, newest: list[dict[str, Any]] | None = None
    ) -> None:
        self.left = list(connections)
        self.requests: list[web.Request] = []
        self._newest = newest or []
        self._ended = asyncio.Event()

    async def serve(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        if self.left:
            answer: web.StreamResponse = await self.left.pop(0)(request)
            return answer
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await self._ended.wait()
        return socket

    async def list_inbox(self, request: web.Request) -> web.Response:
        return web.json_response({"data": self._newest, "next_cursor": None})

    def since(self) -> list[str]:
        return [request.query["since"] for request in self.requests]

    @asynccontextmanager
    async def client(self, **options: Any) -> AsyncIterator[AsyncClient]:
        app = web.Application()
        app.router.add_get("/ws", self.serve)
        app.router.add_get("/api/v1/inbox/stream", self.serve)
        app.router.add_get("/api/v1/inbox", self.list_inbox)
        async with (
            listening(app, shutdown_s=1) as url,
            AsyncClient(url, retries=QUICK, **options) as client,
        ):
            try:
                yield client
            finally:
                self._ended.set()


async def taken(stream: Any, count: int) -> list[str]:
    """The ids of so many that come."""
    ids: list[str] = []
    async with aclosing(stream), asyncio.timeout(20):
        async for one in stream:
            ids.append(one.id)
            if len(ids) == count:
                break
    return ids


@pytest.mark.parametrize(
    "end",
    [
        sends(message(2), code=1012),
        sends(message(2), code=4008),
        sends(message(2), code=1011),
        sends(message(2), code=1000),
        sends(message(2), abort=True),
    ],
    ids=["restart", "too slow", "failed", "done", "aborted"],
)
async def test_an_inbox_goes_on_behind_its_last_message(end: Connection) -> None:
    script = Script(
        sends(message(1), abort=True), refuses(503), sends(), end, refuses(429), sends(message(3))
    )
    async with script.client(api_key="key") as client:
        ids = await taken(client.streams.inbox("ü", since=START), 3)
    assert ids == [message(n)["id"] for n in (1, 2, 3)]
    assert script.since() == [START, ids[0], ids[0], ids[0], ids[1], ids[1]]
    for request in script.requests:
        assert request.headers["X-API-Key"] == "key"
        assert request.headers["X-Recipient-ID"].encode("utf-8", "surrogateescape") == "ü".encode()
        assert request.headers["User-Agent"].startswith("notistream-client/")


@pytest.mark.parametrize(("newest", "place"), [([], START), ([message(7)], message(7)["id"])])
async def test_an_inbox_from_now_on_misses_nothing_before_its_first_message(
    newest: list[dict[str, Any]], place: str
) -> None:
    script = Script(sends(), sends(message(8)), newest=newest)
    async with script.client(token="token") as client:
        assert await taken(client.streams.inbox(), 1) == [message(8)["id"]]
    assert script.since() == [place, place]
    assert {request.headers["Authorization"] for request in script.requests} == {"Bearer token"}


async def test_status_updates_come_from_every_connection() -> None:
    script = Script(sends(update(1), update(2), abort=True), sends(update(3)), sends(update(4)))
    async with script.client() as client:
        assert await taken(client.streams.statuses(), 4) == ["1", "2", "3", "4"]


@pytest.mark.parametrize(
    ("connection", "kind"),
    [
        (refuses(401), Unauthorized),
        (refuses(422), InvalidRequest),
        (sends(update(1), code=4001), TokenExpired),
        (sends("no JSON"), UnexpectedAnswer),
        (sends({"id": "1"}), UnexpectedAnswer),
        (refuses(302, Location="http://127.0.0.1:1/"), ApiError),
    ],
    ids=["401", "422", "expired", "no JSON", "no update", "redirect"],
)
async def test_an_end_that_coming_again_would_not_change(
    connection: Connection, kind: type[Exception]
) -> None:
    script = Script(connection)
    async with script.client(api_key="key") as client:
        with pytest.raises(kind):
            await taken(client.streams.statuses(), 2)
    assert len(script.requests) == 1


async def test_a_service_that_is_away_is_waited_for(unused_tcp_port: int) -> None:
    script = Script(sends(update(1)))
    async with AsyncClient(f"http://127.0.0.1:{unused_tcp_port}", retries=QUICK) as client:
        waiting = asyncio.create_task(taken(client.streams.statuses(), 1))
        await asyncio.sleep(0.1)
        app = web.Application()
        app.router.add_get("/ws", script.serve)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", unused_tcp_port).start()
        assert await waiting == ["1"]
        await runner.cleanup()
