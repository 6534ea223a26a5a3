"""Closes connections that never finish a request head, and those that idle for long.

Aiohttp does neither here.
"""

import asyncio
from collections.abc import Callable, Iterable

from aiohttp.web_protocol import RequestHandler

from notistream.compat import aiohttp

HEAD_S = 10.0
IDLE_S = 75.0
SWEEP_S = 2.0


class Reaper:
    """Call `sweep` every few seconds with the server's connections.

    Faust builds its AppRunner without any timeout: a client that sends half a head would hold its
    connection for ever. A request that is being served is never touched; its body has its own
    limit.
    """

    def __init__(self, *, head_s: float = HEAD_S, idle_s: float = IDLE_S) -> None:
        self._head_s = head_s
        self._idle_s = idle_s
        self._since: dict[RequestHandler, tuple[int, float]] = {}

    def sweep(self, connections: Iterable[RequestHandler], *, now: float) -> int:
        """Close what is due at `now` (seconds, monotonic); how many that were."""
        since: dict[RequestHandler, tuple[int, float]] = {}
        closed = 0
        for connection in connections:
            if aiohttp.is_serving(connection):
                continue
            served = aiohttp.requests_served(connection)
            last_served, first_seen = self._since.get(connection, (-1, now))
            began = first_seen if last_served == served else now
            if now - began >= (self._idle_s if served else self._head_s):
                connection.force_close()
                closed += 1
            else:
                since[connection] = (served, began)
        self._since = since
        return closed


async def sweep_forever(connections: Callable[[], Iterable[RequestHandler]]) -> None:
    """Sweep the server's connections every two seconds."""
    reaper, loop = Reaper(), asyncio.get_running_loop()
    while True:
        reaper.sweep(connections(), now=loop.time())
        await asyncio.sleep(SWEEP_S)
