"""The schema of a migrated database, read from its catalogue."""

import secrets
from dataclasses import dataclass
from urllib.parse import urlsplit

import asyncpg

from notistream.db import migrate
from notistream.db.pool import Queryable, use_json
from notistream.db.queries import load


@dataclass(frozen=True, slots=True)
class Column:
    """One column; `default` is an SQL expression, or `identity`."""

    name: str
    type: str
    nullable: bool
    default: str | None
    comment: str | None


@dataclass(frozen=True, slots=True)
class Table:
    """One table; indexes and checks are the statements that make them."""

    name: str
    comment: str | None
    columns: tuple[Column, ...]
    indexes: tuple[str, ...]
    checks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Function:
    """One SQL function of ours."""

    name: str
    arguments: str
    result: str
    comment: str | None


@dataclass(frozen=True, slots=True)
class Schema:
    """Everything in the schema `public`, by name."""

    tables: tuple[Table, ...]
    functions: tuple[Function, ...]


async def read_schema(db: Queryable) -> Schema:
    """What the database has now; `db` decodes jsonb."""
    queries = load("schema")
    tables = [
        Table(
            row["name"],
            row["comment"],
            tuple(Column(**column) for column in row["columns"]),
            tuple(row["indexes"]),
            tuple(row["checks"]),
        )
        for row in await db.fetch(*queries["tables"]())
    ]
    functions = [Function(**row) for row in await db.fetch(*queries["functions"]())]
    return Schema(tuple(tables), tuple(functions))


async def migrated_schema(url: str) -> Schema:
    """The schema that the migrations make, in a temporary database beside that of `url`."""
    name = f"notistream_schema_{secrets.token_hex(4)}"
    admin = await asyncpg.connect(url, timeout=10)
    try:
        await admin.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        try:
            return await _migrate_and_read(urlsplit(url)._replace(path=f"/{name}").geturl())
        finally:
            await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await admin.close()


async def _migrate_and_read(url: str) -> Schema:
    await migrate.up(url)
    connection = await asyncpg.connect(url, timeout=10)
    try:
        await use_json(connection)
        return await read_schema(connection)
    finally:
        await connection.close()
