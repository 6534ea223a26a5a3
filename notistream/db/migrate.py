"""Migrations: SQL files, applied in order under a lock, each in its own transaction."""

import hashlib
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import asyncpg

from notistream.errors import DatabaseUnavailable, Misconfigured

LOCK = 7_301_962_001
FILE = re.compile(r"(?P<number>\d{4})_(?P<name>\w+)\.up\.sql\Z")
LEDGER = """CREATE TABLE IF NOT EXISTS schema_migrations (
    number integer PRIMARY KEY, name text NOT NULL, checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now())"""


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered step of the schema, and its way back."""

    number: int
    name: str
    up: str
    down: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.up.encode()).hexdigest()[:16]

    def __str__(self) -> str:
        return f"{self.number:04} {self.name}"


def folder() -> Path:
    """The migrations of the installed package, or of the checkout."""
    packaged = Path(str(files("notistream"))) / "migrations"
    return packaged if packaged.is_dir() else packaged.parents[1] / "migrations"


def known() -> list[Migration]:
    """All migrations in order."""
    found = sorted(folder().glob("*.up.sql"))
    return [_read(path) for path in found]


def _read(path: Path) -> Migration:
    match = FILE.fullmatch(path.name)
    if match is None:
        raise Misconfigured(f"{path.name}: a migration is named 0001_what_it_does.up.sql")
    down = path.with_name(path.name.replace(".up.sql", ".down.sql"))
    return Migration(
        int(match["number"]), match["name"], path.read_text("utf-8"), down.read_text("utf-8")
    )


async def up(url: str) -> list[Migration]:
    """Apply what is missing; the migrations applied.

    Raises:
        Misconfigured: an applied migration was changed afterwards.
        DatabaseUnavailable: PostgreSQL is not reachable.
    """
    async with _locked(url) as (connection, applied):
        _refuse_changed(applied)
        todo = [m for m in known() if m.number not in applied]
        for migration in todo:
            async with connection.transaction():
                await connection.execute(migration.up)
                await connection.execute(
                    "INSERT INTO schema_migrations (number, name, checksum) VALUES ($1, $2, $3)",
                    migration.number,
                    migration.name,
                    migration.checksum,
                )
        return todo


async def down(url: str, *, steps: int = 1) -> list[Migration]:
    """Undo the last `steps` migrations; those undone."""
    async with _locked(url) as (connection, applied):
        undone = [m for m in reversed(known()) if m.number in applied][:steps]
        for migration in undone:
            async with connection.transaction():
                await connection.execute(migration.down)
                await connection.execute(
                    "DELETE FROM schema_migrations WHERE number = $1", migration.number
                )
        return undone


async def status(url: str) -> list[tuple[Migration, bool]]:
    """Every known migration, and whether it is applied."""
    async with _locked(url) as (_, applied):
        return [(m, m.number in applied) for m in known()]


@asynccontextmanager
async def _locked(
    url: str,
) -> AsyncIterator[tuple["asyncpg.Connection[asyncpg.Record]", dict[int, str]]]:
    try:
        connection = await asyncpg.connect(url, timeout=10)
    except (
        OSError,
        TimeoutError,
        ValueError,
        asyncpg.PostgresError,
        asyncpg.InterfaceError,
    ) as exc:
        raise DatabaseUnavailable(
            f"PostgreSQL is not reachable ({exc}); see NOTISTREAM_DATABASE_URL"
        ) from exc
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", LOCK)
        await connection.execute(LEDGER)
        rows = await connection.fetch("SELECT number, checksum FROM schema_migrations")
        yield connection, {row["number"]: row["checksum"] for row in rows}
    finally:
        await connection.close()


def _refuse_changed(applied: dict[int, str]) -> None:
    changed: Sequence[Migration] = [
        m for m in known() if applied.get(m.number, m.checksum) != m.checksum
    ]
    if changed:
        names = ", ".join(map(str, changed))
        raise Misconfigured(f"changed after it was applied: {names}; add a new migration instead")
