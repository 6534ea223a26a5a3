"""The reaper: slow heads and long idling end, requests under way do not."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web
from aiohttp.test_utils import TestServer

from notistream.web.server.reaper import Reaper


async def slow(_request: web.Request) -> web.Response:
    await asyncio.sleep(0.2)
    return web.Response(text="done")


@asynccontextmanager
async def listening() -> AsyncIterator[tuple[web.Server, TestServer]]:
    app = web.Application()
    app.router.add_get("/", slow)
    async with TestServer(app) as server:
        assert isinstance(server.runner, web.AppRunner)
        assert server.runner.server is not None
        yield server.runner.server, server


async def test_half_a_head_is_closed_after_ten_seconds() -> None:
    async with listening() as (server, address):
        reader, writer = await asyncio.open_connection(address.host, address.port)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n")
        await asyncio.sleep(0.05)
        reaper = Reaper()
        assert reaper.sweep(server.connections, now=100.0) == 0
        writer.write(b"X-Slow: 1\r\n")
        await asyncio.sleep(0.05)
        assert reaper.sweep(server.connections, now=109.9) == 0
        assert reaper.sweep(server.connections, now=110.0) == 1
        assert await asyncio.wait_for(reader.read(), 2) == b""
        writer.close()


async def test_requests_under_way_and_keep_alive_are_left_alone() -> None:
    async with listening() as (server, address):
        reader, writer = await asyncio.open_connection(address.host, address.port)
        reaper = Reaper()
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await asyncio.sleep(0.05)
        for now in (0.0, 1000.0):
            assert reaper.sweep(server.connections, now=now) == 0
        assert b"done" in await asyncio.wait_for(reader.readuntil(b"done"), 2)
        await asyncio.sleep(0.05)
        assert reaper.sweep(server.connections, now=1000.0) == 0
        assert reaper.sweep(server.connections, now=1074.0) == 0
        assert reaper.sweep(server.connections, now=1075.0) == 1
        writer.close()


async def test_a_new_request_starts_the_idle_time_again() -> None:
    async with listening() as (server, address):
        reader, writer = await asyncio.open_connection(address.host, address.port)
        reaper = Reaper()
        for now in (0.0, 70.0, 140.0):
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            await asyncio.wait_for(reader.readuntil(b"done"), 2)
            await asyncio.sleep(0.02)
            assert reaper.sweep(server.connections, now=now) == 0
        writer.close()
