"""An aiohttp application on a free port of the loopback interface, for what tests talk to."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web


@asynccontextmanager
async def listening(app: web.Application, *, shutdown_s: float = 60.0) -> AsyncIterator[str]:
    """Its address, without a slash at the end.

    Requests under way at the end of the block have `shutdown_s`.
    """
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=shutdown_s)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
