"""A line to a service that can be cut: then it passes nothing and closes nothing, as a network that
has gone.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

HOST = "127.0.0.1"
CHUNK = 65_536
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Wire:
    """Carries TCP connections to what `connect` reaches; `port` is where clients find it."""

    def __init__(self, connect: Callable[[], Awaitable[Streams]], port: int = 0) -> None:
        self._connect = connect
        self._whole = asyncio.Event()
        self._whole.set()
        self._carrying: set[asyncio.Task[None]] = set()
        self.port = port
        self.kept_back = 0
        """Bytes that had to wait for the line."""

    def cut(self) -> None:
        """Pass nothing on, in either direction; new connections are taken and lead nowhere."""
        self._whole.clear()

    def mend(self) -> None:
        """Go on with whatever was kept back."""
        self._whole.set()

    @asynccontextmanager
    async def up(self) -> AsyncIterator["Wire"]:
        """The line, until the end of the block."""
        server = await asyncio.start_server(self._connected, HOST, self.port)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for task in list(self._carrying):
                task.cancel()
            await asyncio.gather(*self._carrying, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._carrying.add(task)
        try:
            await self._whole.wait()
            there, back = await self._connect()
            async with asyncio.TaskGroup() as both:
                both.create_task(self._carry(reader, back))
                both.create_task(self._carry(there, writer))
        except OSError:
            pass  # the service does not listen: the client sees its connection end
        except asyncio.CancelledError:
            return  # the block has ended; asyncio would report it
        finally:
            writer.close()
            self._carrying.discard(task)

    async def _carry(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        """One direction; its end is passed on like its bytes, when the line is whole."""
        with suppress(ConnectionError):
            while data := await source.read(CHUNK):
                if not self._whole.is_set():
                    self.kept_back += len(data)
                    await self._whole.wait()
                target.write(data)
                await target.drain()
        await self._whole.wait()
        target.close()
