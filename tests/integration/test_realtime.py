"""Status updates, inboxes and streams over real processes: API, worker, Kafka and PostgreSQL."""

import asyncio
import random
import signal
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.services import Endpoints
from tests.stack import PATIENCE_S, Process, Stack, stack, until

pytestmark = pytest.mark.integration

SECRET = "realtime-test-secret-0123456789abcdef"
START = "00000000-0000-0000-0000-000000000000"


@pytest.fixture
async def product(
    endpoints: Endpoints, database_url: str, topics_prefix: str, tmp_path: Path
) -> AsyncIterator[Stack]:
    async with stack(
        database_url=database_url,
        brokers=endpoints.kafka_brokers,
        prefix=topics_prefix,
        folder=tmp_path,
        JWT_SECRET=SECRET,
        RECIPIENT_RATE_LIMIT="0",
        LOG_LEVEL="DEBUG",
    ) as running:
        yield running


async def token(product: Stack, recipient_id: str, **fields: Any) -> str:
    status, answer = await product.call(
        "POST", "/api/v1/ws-token", {"recipient_id": recipient_id, **fields}
    )
    assert status == 200, answer
    return str(answer["token"])


async def frames(socket: aiohttp.ClientWebSocketResponse, count: int) -> list[dict[str, Any]]:
    """So many frames, in order."""
    async with asyncio.timeout(PATIENCE_S):
        return [await socket.receive_json() for _ in range(count)]


def in_app(count: int, recipient: str, *, start: int = 0, **fields: Any) -> list[dict[str, Any]]:
    return [
        {
            "channel": "in_app",
            "recipient": recipient,
            "content": str(start + i),
            "subject": "s",
            **fields,
        }
        for i in range(count)
    ]


async def test_two_hundred_clients_of_two_processes_see_what_a_worker_delivers(
    product: Stack, record_property: Any
) -> None:
    first = await product.api()
    second = await product.api()
    await product.worker()
    async with AsyncExitStack() as stack_:
        session = await stack_.enter_async_context(
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        )
        sockets = [
            await stack_.enter_async_context(session.ws_connect(f"{(first, second)[i % 2].url}/ws"))
            for i in range(200)
        ]
        began = time.monotonic()
        notification_id = await product.create(channel="in_app", recipient="u-1", content="hi")
        got = await asyncio.gather(*(frames(socket, 1) for socket in sockets))
        took = time.monotonic() - began
        record_property("seconds", round(took, 3))
        print(f"200 clients of two processes were told after {took * 1000:.0f} ms")  # noqa: T201 - a figure to report
        assert {(f["notification_id"], f["status"]) for (f,) in got} == {
            (notification_id, "delivered")
        }
        assert len(got) == 200
        for process in (first, second):
            assert await product.metric(process, "notistream_websockets", stream="status") == 100
            assert (
                await product.metric(process, "notistream_websocket_frames_total", stream="status")
                == 100
            )
    for process in (first, second):
        await until(lambda p=process: _closed(product, p), what="the gauge to fall")


async def _closed(product: Stack, process: Process) -> bool:
    return await product.metric(process, "notistream_websockets") == 0


async def test_a_client_sees_every_status_of_twenty_deliveries_and_its_token_is_not_logged(
    product: Stack,
) -> None:
    api = await product.api()
    await product.worker()
    mine = await token(product, "u-1")
    async with (
        product.http.ws_connect(f"{api.url}/ws") as everything,
        product.http.ws_connect(f"{api.url}/ws?token={mine}") as own,
        product.http.ws_connect(
            f"{api.url}/api/v1/inbox/stream?since={START}&token={mine}"
        ) as inbox,
    ):
        await product.batch([*in_app(20, "u-1"), *in_app(20, "u-2")])
        got = await frames(everything, 40)
        assert {f["status"] for f in got} == {"delivered"}
        assert len({f["notification_id"] for f in got}) == 40
        assert {f["recipient_id"] for f in await frames(own, 20)} == {"u-1"}
        messages = await frames(inbox, 20)
        assert {m["recipient_id"] for m in messages} == {"u-1"}
        cancelled = await product.create(
            channel="in_app", recipient="u-1", content="later", scheduled_at="2099-01-01T00:00:00Z"
        )
        await product.call("DELETE", f"/api/v1/notifications/{cancelled}")
        for socket in (everything, own):
            (frame,) = await frames(socket, 1)
            assert (frame["notification_id"], frame["status"]) == (cancelled, "cancelled")
    assert mine not in api.log.read_text()


async def test_a_stream_that_breaks_again_and_again_gives_every_message_once_in_order(
    product: Stack,
) -> None:
    """Random disconnects, the client's and the server's, while messages come in."""
    apis = [await product.api(), await product.api()]
    await product.worker()
    chance = random.Random(7)
    bearer = {"Authorization": f"Bearer {await token(product, 'u-1')}"}
    total, got = 300, []

    async def send() -> None:
        for at in range(0, total, 20):
            await product.batch([*in_app(20, "u-1", start=at), *in_app(5, "u-2")])
            await asyncio.sleep(chance.random() / 10)

    async def follow() -> None:
        last = START
        while len(got) < total:
            api = chance.choice(apis)
            async with product.http.ws_connect(
                f"{api.url}/api/v1/inbox/stream?since={last}", headers=bearer
            ) as socket:
                for _ in range(chance.randrange(1, 40)):
                    if len(got) == total:
                        break
                    got.append(await socket.receive_json())
                    last = got[-1]["id"]
                if chance.random() < 0.3:
                    socket._response.connection.transport.abort()

    async with asyncio.timeout(PATIENCE_S * 2):
        await asyncio.gather(send(), follow())
    _, page = await product.call("GET", "/api/v1/inbox?page_size=100", headers=bearer)
    assert len({m["id"] for m in got}) == total
    assert sorted(int(m["body"]) for m in got) == list(range(total))
    assert [m["id"] for m in reversed(got)][:100] == [m["id"] for m in page["data"]], (
        "the order of the inbox"
    )
    _, count = await product.call("GET", "/api/v1/inbox/unread-count", headers=bearer)
    assert count == {"unread": total}


async def test_streams_go_on_while_kafka_is_away(
    endpoints: Endpoints, database_url: str, topics_prefix: str, tmp_path: Path
) -> None:
    """The API cannot reach Kafka, the worker can: the inbox watch finds what nobody told."""
    async with stack(
        database_url=database_url,
        brokers=endpoints.kafka_brokers,
        prefix=topics_prefix,
        folder=tmp_path,
        JWT_SECRET=SECRET,
    ) as product:
        api = await product.api(KAFKA_BROKERS="127.0.0.1:1")
        await product.worker()
        async with product.http.ws_connect(
            f"{api.url}/api/v1/inbox/stream", headers={"X-Recipient-ID": "u-1"}
        ) as socket:
            for text in ("a", "b"):
                await product.create(channel="in_app", recipient="u-1", content=text)
                (frame,) = await frames(socket, 1)
                assert frame["body"] == text


async def test_sockets_are_closed_at_once_when_the_process_stops(product: Stack) -> None:
    api = await product.api()
    async with product.http.ws_connect(f"{api.url}/ws") as socket:
        await product.http.get(f"{api.url}/livez")
        ending = asyncio.create_task(api.kill(signal.SIGTERM))
        message = await asyncio.wait_for(socket.receive(), PATIENCE_S)
        assert (message.type, socket.close_code) == (aiohttp.WSMsgType.CLOSE, 1012)
        assert await ending == 0
