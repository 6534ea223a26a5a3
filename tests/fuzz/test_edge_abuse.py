"""Slow and greedy clients of a real API process: they are closed, and everybody else is served
meanwhile.
"""

import asyncio
import gzip
import io
import os
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from tests.fuzz.conftest import CREATE, PATIENCE_S, Target, served
from tests.stack import until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(PATIENCE_S)]

SLOW = int(os.environ.get("FUZZ_SLOW", "150"))
"""Connections that send half a head, and a third as many with half a body; `make fuzz` takes 1,000.
"""
GROWTH_MIB = 60
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture
async def http(target: Target) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(
        target.process.url, headers=target.headers, connector=aiohttp.TCPConnector(limit=0)
    ) as session:
        yield session


async def opened(target: Target, raw: bytes) -> Connection:
    reader, writer = await asyncio.open_connection("127.0.0.1", target.process.port)
    writer.write(raw)
    await writer.drain()
    return reader, writer


async def closed(connection: Connection) -> bytes:
    """What the server said before it closed."""
    reader, writer = connection
    try:
        return await asyncio.wait_for(reader.read(), 60)
    except ConnectionError:
        return b""
    finally:
        writer.close()


async def test_slow_heads_and_bodies_are_closed_and_others_are_served(
    target: Target, http: aiohttp.ClientSession
) -> None:
    key = f"X-API-Key: {target.key}\r\n"
    body = (
        f"POST {CREATE} HTTP/1.1\r\nHost: x\r\n{key}Content-Type:"
        " application/json\r\nContent-Length: 99\r\n\r\n{"
    )
    heads = [
        await opened(target, f"GET /health HTTP/1.1\r\nHost: x\r\n{key}".encode())
        for _ in range(SLOW)
    ]
    bodies = [await opened(target, body.encode()) for _ in range(SLOW // 3)]
    assert all([await served(http) for _ in range(20)])
    answers = await asyncio.gather(*map(closed, heads), *map(closed, bodies))
    assert set(answers[:SLOW]) == {b""}, "half a head has no answer"
    assert all(answer.startswith(b"HTTP/1.1 408 ") for answer in answers[SLOW:])
    assert await served(http)


async def chunks(size: int) -> AsyncIterator[bytes]:
    for _ in range(size // 65_536):
        yield b" " * 65_536


async def test_large_bodies_and_bombs_cost_no_memory(
    target: Target, http: aiohttp.ClientSession
) -> None:
    json = {"Content-Type": "application/json"}
    bomb = gzip.compress(b" " * 100_000_000)
    before = target.resident_mib
    for _ in range(5):
        refused: list[tuple[Any, dict[str, str], int]] = [
            (io.BytesIO(b" " * 10_000_000), json, 413),
            (chunks(10_000_000), json, 413),
            (io.BytesIO(bomb), {**json, "Content-Encoding": "gzip"}, 415),
            (chunks(10_000_000), {**json, "Content-Encoding": "gzip"}, 415),
        ]
        for data, headers, status in refused:
            try:
                async with http.post(CREATE, data=data, headers=headers) as answer:
                    assert answer.status == status
            except aiohttp.ClientConnectionError:
                pass  # it was closed while the rest was still being sent
    assert await served(http)
    assert target.resident_mib - before < GROWTH_MIB


async def test_idle_connections_cost_nobody_a_place(
    target: Target, http: aiohttp.ClientSession
) -> None:
    idle = [await opened(target, b"") for _ in range(SLOW * 2)]
    try:
        assert all([await served(http) for _ in range(20)])
    finally:
        for _, writer in idle:
            writer.close()


async def test_a_flood_on_a_websocket_ends_its_own_connection_alone(
    target: Target, http: aiohttp.ClientSession
) -> None:
    """Frames that are too long, thousands of small ones, half a frame, and text that is none."""
    before = target.resident_mib
    async with http.ws_connect("/ws") as quiet:
        for flood in (too_long, many_small, many_pings, not_text):
            async with http.ws_connect("/ws") as socket:
                await flood(socket)
        assert await served(http)
        await quiet.ping()
        assert not quiet.closed
    assert target.resident_mib - before < GROWTH_MIB


async def too_long(socket: aiohttp.ClientWebSocketResponse) -> None:
    await socket.send_bytes(b"x" * 1_000_000)
    answer = await socket.receive(timeout=30)
    assert answer.type in (
        aiohttp.WSMsgType.CLOSE,
        aiohttp.WSMsgType.CLOSED,
        aiohttp.WSMsgType.ERROR,
    )


async def many_small(socket: aiohttp.ClientWebSocketResponse) -> None:
    try:
        for _ in range(5000):
            await socket.send_str("{}")
    except (ConnectionError, aiohttp.ClientError):
        pass


async def many_pings(socket: aiohttp.ClientWebSocketResponse) -> None:
    try:
        for _ in range(2000):
            await socket.ping(b"x" * 100)
    except (ConnectionError, aiohttp.ClientError):
        pass


async def not_text(socket: aiohttp.ClientWebSocketResponse) -> None:
    await socket.send_frame(b"\xff\xfe\xfd", aiohttp.WSMsgType.TEXT)
    await until(
        lambda: socket.closed or receive_closed(socket), what="a frame that is no text to end it"
    )


async def receive_closed(socket: aiohttp.ClientWebSocketResponse) -> bool:
    return (await socket.receive(timeout=30)).type in (
        aiohttp.WSMsgType.CLOSE,
        aiohttp.WSMsgType.CLOSED,
        aiohttp.WSMsgType.ERROR,
    )
