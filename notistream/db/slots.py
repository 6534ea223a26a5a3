"""Worker slots: a session advisory lock makes sure that no two processes use the same one."""

import asyncpg

from notistream.db.pool import UNAVAILABLE, Queryable
from notistream.db.queries import load
from notistream.errors import DatabaseUnavailable

SQL = load("slots")
CLASS = 7_301_962


class SlotLock:
    """A connection of its own that holds the lock of one slot; the lock goes with the process."""

    def __init__(self, url: str, slot: int) -> None:
        self._url = url
        self._slot = slot
        self._connection: asyncpg.Connection[asyncpg.Record] | None = None

    async def take(self) -> bool:
        """Take or keep the lock; False where another process has it.

        Raises:
            DatabaseUnavailable: PostgreSQL is not reachable.
        """
        try:
            if self._connection is None or self._connection.is_closed():
                self._connection = await asyncpg.connect(
                    self._url,
                    timeout=5,
                    server_settings={"application_name": f"notistream-slot-{self._slot}"},
                )
                held = await self._connection.fetchval(
                    "SELECT pg_try_advisory_lock($1, $2)", CLASS, self._slot
                )
                if not held:
                    await self.release()
                return bool(held)
            await self._connection.fetchval("SELECT 1", timeout=5)
        except (*UNAVAILABLE, asyncpg.PostgresError) as exc:
            await self.release()
            raise DatabaseUnavailable from exc
        return True

    async def release(self) -> None:
        """Give the lock back."""
        connection, self._connection = self._connection, None
        if connection is not None and not connection.is_closed():
            connection.terminate()


async def live(db: Queryable) -> list[int]:
    """Slots of the workers that run, as far as PostgreSQL knows."""
    return [row["slot"] for row in await db.fetch(*SQL["live"](slots=CLASS))]
