"""A bounded pool of connections to one SMTP server; tested before reuse, closed when idle."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from aiosmtplib import SMTP, SMTPException

LOOK_AFTER_S = 5.0
LOOK_S = 2.0
QUIT_S = 1.0


class PoolExhausted(Exception):
    """Every connection stayed busy."""


@dataclass(slots=True, eq=False)
class Connection:
    """A connection that is at one caller's disposal.

    `fit`: it can serve another message after this one.
    """

    client: SMTP
    fresh: bool
    fit: bool = False


class SmtpPool:
    """At most `size` connections; an idle one is closed after `idle_s`."""

    def __init__(
        self,
        connect: Callable[[], Awaitable[SMTP]],
        *,
        size: int,
        idle_s: float,
        clock: Callable[[], float],
    ) -> None:
        self._connect = connect
        self._idle_s = idle_s
        self._clock = clock
        self._slots = asyncio.Semaphore(size)
        self._idle: deque[tuple[SMTP, float]] = deque()  # the one used last is on the right
        self._reaper: asyncio.TimerHandle | None = None
        self._quitting: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def connection(
        self, *, patience_s: float, fresh: bool = False
    ) -> AsyncIterator[Connection]:
        """One connection for one transaction; it is kept only where the block has called it fit.

        Raises:
            PoolExhausted: none became free in time.
            SMTPException, OSError: no connection could be made.
        """
        try:
            async with asyncio.timeout(patience_s):
                await self._slots.acquire()
        except TimeoutError:
            raise PoolExhausted from None
        connection: Connection | None = None
        try:
            if fresh and self._idle:
                self._idle.popleft()[0].close()  # it makes room
            idle = None if fresh else await self._idle_one()
            connection = Connection(idle or await self._connect(), fresh=idle is None)
            yield connection
        finally:
            if connection is not None:
                self._put_back(connection)
            self._slots.release()

    async def _idle_one(self) -> SMTP | None:
        """The connection used last that still answers."""
        while self._idle:
            client, since = self._idle.pop()
            rested = self._clock() - since >= LOOK_AFTER_S
            if client.is_connected and (not rested or await _answers(client)):
                return client
            client.close()
        return None

    def _put_back(self, connection: Connection) -> None:
        if not connection.fit or not connection.client.is_connected:
            connection.client.close()
            return
        self._idle.append((connection.client, self._clock()))
        if self._reaper is None:
            self._reaper = asyncio.get_running_loop().call_later(self._idle_s, self._reap)

    def _reap(self) -> None:
        self._reaper = None
        while self._idle and self._clock() - self._idle[0][1] >= self._idle_s:
            task = asyncio.ensure_future(_quit(self._idle.popleft()[0]))
            self._quitting.add(task)
            task.add_done_callback(self._quitting.discard)
        if self._idle:
            left = self._idle_s - (self._clock() - self._idle[0][1])
            self._reaper = asyncio.get_running_loop().call_later(left, self._reap)

    async def aclose(self) -> None:
        """Quit every idle connection; users close theirs."""
        if self._reaper is not None:
            self._reaper.cancel()
            self._reaper = None
        idle, self._idle = self._idle, deque()
        await asyncio.gather(*(_quit(client) for client, _ in idle), *self._quitting)


async def _answers(client: SMTP) -> bool:
    """Whether the connection still works; it is closed if the caller is cancelled."""
    try:
        return (await client.noop(timeout=LOOK_S)).code == 250
    except (SMTPException, OSError):
        return False
    except asyncio.CancelledError:
        client.close()
        raise


async def _quit(client: SMTP) -> None:
    with suppress(SMTPException, OSError):
        await client.quit(timeout=QUIT_S)
    client.close()
