"""Databases that one test after another uses: emptying one is ten times as fast as making one.

A database is used again if it is what a new one would be: the same schema, rights and settings, no
rows, sequences at their start, no statistics of the planner, and not much larger. Any other one is
dropped.
"""

from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import asyncpg

from notistream.local.services import Endpoints
from tests.services import create_database

GROWTH = 2 * 1024 * 1024
"""Bytes by which a database may be larger than a new one: its indexes are then not yet bloated."""
SHAPE = """
SELECT md5(string_agg(line, ',' ORDER BY line)) FROM (
    SELECT concat_ws(' ', 'column', attrelid, attname, atttypid, attnotnull, atthasdef)
    FROM pg_attribute JOIN pg_class c ON c.oid = attrelid
    WHERE relnamespace = 'public'::regnamespace
    UNION ALL SELECT concat_ws(' ', 'class', oid, relname, relacl, relrowsecurity, reloptions)
    FROM pg_class WHERE relnamespace = 'public'::regnamespace
    UNION ALL SELECT concat_ws(' ', 'index', indexrelid, indisvalid) FROM pg_index
    UNION ALL SELECT concat_ws(' ', 'constraint', oid, convalidated) FROM pg_constraint
    UNION ALL SELECT concat_ws(' ', 'function', oid, proacl, md5(prosrc)) FROM pg_proc
    WHERE pronamespace = 'public'::regnamespace
    UNION ALL SELECT concat_ws(' ', 'trigger', oid, tgenabled) FROM pg_trigger
    UNION ALL SELECT concat_ws(' ', 'policy', oid) FROM pg_policy
    UNION ALL SELECT concat_ws(' ', 'type', oid) FROM pg_type
    WHERE typnamespace = 'public'::regnamespace
    UNION ALL SELECT concat_ws(' ', 'setting', setrole, setconfig) FROM pg_db_role_setting s
    JOIN pg_database d ON d.oid = setdatabase WHERE datname = current_database()
    UNION ALL SELECT concat_ws(' ', 'migration', m::text) FROM schema_migrations m
    UNION ALL SELECT concat_ws(' ', 'statistics', starelid) FROM pg_statistic
    JOIN pg_class c ON c.oid = starelid WHERE relnamespace = 'public'::regnamespace
) made (line)
"""
TABLES = """
SELECT quote_ident(tablename) FROM pg_tables
WHERE schemaname = 'public' AND tablename <> 'schema_migrations'
"""
REWIND = "SELECT setval(seqrelid::regclass, seqstart, false) FROM pg_sequence"
LEAVE = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


@dataclass(frozen=True, slots=True)
class Made:
    """A database of this process, and what it was like when it was new."""

    url: str
    shape: str
    size: int


_idle: dict[str, list[Made]] = defaultdict(list)


@asynccontextmanager
async def database(endpoints: Endpoints) -> AsyncIterator[str]:
    """Yield the URL of a migrated database without rows, for one test."""
    server = endpoints.database_url
    made = _idle[server].pop() if _idle[server] else await _make(endpoints)
    yield made.url
    if await _is_as_new(made):
        _idle[server].append(made)
    else:
        await _drop(server, made)


async def drop_all(endpoints: Endpoints) -> None:
    """Drop what no test uses any more, for a server that stays."""
    for made in _idle.pop(endpoints.database_url, []):
        await _drop(endpoints.database_url, made)


async def _make(endpoints: Endpoints) -> Made:
    url = await create_database(endpoints)
    connection = await asyncpg.connect(url)
    try:
        return Made(url, *await _measured(connection))
    finally:
        await connection.close()


async def _measured(connection: asyncpg.Connection) -> tuple[str, int]:
    size = await connection.fetchval("SELECT pg_database_size(current_database())")
    return str(await connection.fetchval(SHAPE)), int(size)


async def _is_as_new(made: Made) -> bool:
    """Whether it could be emptied, and is otherwise as it was."""
    try:
        connection = await asyncpg.connect(made.url)
    except (OSError, asyncpg.PostgresError):
        return False
    try:
        await connection.execute(LEAVE)
        shape, size = await _measured(connection)
        if shape != made.shape or size > made.size + GROWTH:
            return False
        tables = [row[0] for row in await connection.fetch(TABLES)]
        async with connection.transaction():
            await connection.execute("SET LOCAL session_replication_role = replica")
            await connection.execute(";".join(f"DELETE FROM {table}" for table in tables))
            await connection.execute(REWIND)
        await connection.execute("SELECT pg_stat_reset()")
    except asyncpg.PostgresError:
        return False
    finally:
        await connection.close()
    return True


async def _drop(server: str, made: Made) -> None:
    name = urlsplit(made.url).path.removeprefix("/")
    admin = await asyncpg.connect(server)
    try:
        await admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    finally:
        await admin.close()
