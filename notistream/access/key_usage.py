"""When each API key was last used: collected in memory and written in the background."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from uuid import UUID

from notistream.errors import DatabaseUnavailable
from notistream.observability import metrics

log = logging.getLogger(__name__)

LOOKS_EVERY_S = 5.0
WRITES_EVERY_S = 60.0
"""Of one key."""


class KeyUsage:
    """Writes a key's first use within seconds, then at most once a minute.

    `write` takes the seconds since the last use, by key.
    """

    def __init__(
        self,
        write: Callable[[Mapping[UUID, float]], Awaitable[None]],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._write = write
        self._clock = clock
        self._used: dict[UUID, float] = {}
        self._written: dict[UUID, float] = {}
        self._task: asyncio.Task[None] | None = None

    def note(self, key_id: UUID) -> None:
        """Note that the key is being used."""
        self._used[key_id] = self._clock()
        if self._task is None:
            self._task = asyncio.create_task(self._keep_writing())

    async def flush(self, *, least_s: float = WRITES_EVERY_S) -> None:
        """Write the keys that were not written in the last `least_s` seconds.

        Raises:
            DatabaseUnavailable: nothing was written; the next call tries again.
        """
        now = self._clock()
        self._written = {key_id: at for key_id, at in self._written.items() if now - at < least_s}
        due = {key_id: at for key_id, at in self._used.items() if key_id not in self._written}
        if not due:
            return
        await self._write({key_id: now - at for key_id, at in due.items()})
        for key_id, at in due.items():
            self._written[key_id] = now
            if self._used[key_id] == at:
                del self._used[key_id]

    async def close(self) -> None:
        """Write what is left, if PostgreSQL answers."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        with suppress(DatabaseUnavailable):
            await self.flush(least_s=0)

    async def _keep_writing(self) -> None:
        while True:
            await asyncio.sleep(LOOKS_EVERY_S)
            try:
                await self.flush()
            except Exception:  # the edge of a background task: the next round tries again
                metrics.TASK_FAILURES.labels("key_use").inc()
                log.warning("last use of API keys not written", exc_info=True)
