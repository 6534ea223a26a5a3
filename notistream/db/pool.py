"""The connection pool: opens lazily, speaks JSON, and says "unavailable" in one way."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Protocol
from uuid import UUID

import asyncpg
import orjson

from notistream.errors import DatabaseUnavailable

ACQUIRE_TIMEOUT_S = 1.5
COMMAND_TIMEOUT_S = 15.0

# Statements here read few rows of large tables, in the order of an index. A bitmap reads all that
# match before the first row comes out, for example everything of a large tenant: the planner takes
# each tenant for an average one.
PLANNING = {"jit": "off", "enable_bitmapscan": "off"}
# Workers run few statements all the time: one plan for any arguments saves a claim of one message
# 0.9 ms of planning.
PLANNED_ONCE = {**PLANNING, "plan_cache_mode": "force_generic_plan"}

UNAVAILABLE = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.InsufficientResourcesError,  # 53: disk full, out of memory, too many connections
    asyncpg.OperatorInterventionError,  # 57: shutting down, starting up, query cancelled
    asyncpg.ReadOnlySQLTransactionError,  # the server became a standby
    asyncpg.InternalClientError,
)
RETRIED = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)


class Queryable(Protocol):
    """What a query function needs: the pool's Database, or one connection inside a transaction."""

    async def fetch(self, query: str, *args: Any) -> Sequence[asyncpg.Record]: ...

    async def fetchrow(self, query: str, *args: Any) -> asyncpg.Record | None: ...


class Statements(ABC):
    """Runs single statements, each in a transaction of its own."""

    async def fetch(self, query: str, *args: Any) -> Sequence[asyncpg.Record]:
        """Run one statement in a transaction of its own; a deadlock is retried once.

        Raises:
            DatabaseUnavailable: no connection within 1.5 s, or it broke; a statement that was under
                way may have been committed.
        """
        try:
            return await self._fetch(query, args)
        except RETRIED:
            return await self._fetch(query, args)

    async def fetchrow(self, query: str, *args: Any) -> asyncpg.Record | None:
        """First row of `fetch`, or None."""
        rows = await self.fetch(query, *args)
        return rows[0] if rows else None

    @abstractmethod
    async def _fetch(self, query: str, args: Sequence[Any]) -> Sequence[asyncpg.Record]: ...


class Database(Statements):
    """A pool of at most `size` connections, opened at its first use.

    So a process starts without PostgreSQL. `name` is what pg_stat_activity shows.
    """

    def __init__(
        self, url: str, *, size: int, name: str, planning: Mapping[str, str] = PLANNING
    ) -> None:
        self._create = partial(
            asyncpg.create_pool,
            url,
            min_size=0,
            max_size=size,
            timeout=ACQUIRE_TIMEOUT_S,
            command_timeout=COMMAND_TIMEOUT_S,
            init=use_json,
            server_settings={"application_name": name, **planning},
            max_inactive_connection_lifetime=60,
            reset=_nothing_to_reset,
        )
        self._pool: asyncpg.Pool | None = None
        self._opening = asyncio.Lock()

    async def _opened(self) -> asyncpg.Pool:
        async with self._opening:
            if self._pool is None:
                self._pool = await self._create()
            return self._pool

    async def _fetch(self, query: str, args: Sequence[Any]) -> Sequence[asyncpg.Record]:
        async with self._connection() as connection:
            rows: Sequence[asyncpg.Record] = await connection.fetch(query, *args)
            return rows

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Queryable]:
        """One transaction for several statements; rolled back when the block raises."""
        async with self._connection() as connection, connection.transaction():
            yield connection

    def of(self, tenant_id: UUID) -> "TenantDatabase":
        """The same database as one tenant sees it."""
        return TenantDatabase(self, tenant_id)

    @asynccontextmanager
    async def transaction_of(self, tenant_id: UUID) -> AsyncIterator[Queryable]:
        """As `transaction`, in the role of a tenant: PostgreSQL shows its rows and no others."""
        async with self._connection() as connection:
            try:
                await connection.execute(
                    "BEGIN; SET LOCAL ROLE notistream_tenant; SET LOCAL notistream.tenant ="
                    f" '{tenant_id}'"
                )
                yield connection
                await connection.execute("COMMIT")
            except BaseException:
                await _roll_back(connection)
                raise

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Any]:
        try:
            pool = self._pool or await self._opened()
            async with pool.acquire(timeout=ACQUIRE_TIMEOUT_S) as connection:
                yield connection
        except UNAVAILABLE as exc:
            raise DatabaseUnavailable from exc

    async def close(self) -> None:
        """Close after at most a few seconds, even where a connection hangs."""
        if self._pool is None:
            return
        try:
            await asyncio.wait_for(self._pool.close(), timeout=5)
        except TimeoutError:
            self._pool.terminate()


class TenantDatabase(Statements):
    """A tenant's view of the database.

    Every statement runs in the tenant's role, see `migrations/0003_…`.
    """

    def __init__(self, database: Database, tenant_id: UUID) -> None:
        self._database = database
        self._tenant_id = tenant_id

    async def _fetch(self, query: str, args: Sequence[Any]) -> Sequence[asyncpg.Record]:
        async with self.transaction() as connection:
            return await connection.fetch(query, *args)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Queryable]:
        """As `Database.transaction`."""
        async with self._database.transaction_of(self._tenant_id) as connection:
            yield connection


async def _roll_back(connection: Any) -> None:
    """A connection whose state is not certain is not used again: it might still have the tenant's role."""
    try:
        await connection.execute("ROLLBACK")
    except BaseException:
        connection.terminate()
        raise


async def _nothing_to_reset(_connection: Any) -> None:
    """Statements here set no session state, so the round trip of a reset after each of them is saved."""


async def use_json(connection: Any) -> None:
    """Make jsonb speak orjson on a connection."""
    await connection.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        encoder=lambda value: orjson.dumps(value).decode(),
        decoder=orjson.loads,
    )
