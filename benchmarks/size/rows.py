"""Rows of every large table, made by PostgreSQL itself.

Used by `make size` and, in small, by the tests.
"""

import re
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import asyncpg

NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)
PARTS = NAME.split((Path(__file__).parent / "rows.sql").read_text("utf-8"))[1:]
STATEMENTS = dict(zip(PARTS[::2], PARTS[1::2], strict=True))
TENANTS = 20
SPAN = timedelta(days=360)
PORTION = 100_000


async def fill(
    connection: asyncpg.Connection,
    count: int,
    *,
    recipients: int | None = None,
    report: Callable[[str], None] = lambda _: None,
) -> None:
    """Store `count` notifications of twelve months with all that belongs to them, then ANALYZE."""
    await connection.execute("SET jit = off")
    await connection.execute(STATEMENTS["tenants"].replace("$1::integer", str(TENANTS)))
    began = time.monotonic()
    for first in range(1, count + 1, PORTION):
        await connection.execute(
            STATEMENTS["notifications"],
            first,
            min(first + PORTION - 1, count),
            count,
            SPAN,
            recipients or max(count // 10, 1),
        )
    report(f"{count:,} notifications in {time.monotonic() - began:.0f} s")
    for name, statement in STATEMENTS.items():
        if name not in ("tenants", "notifications"):
            await connection.execute(statement)
    await connection.execute("VACUUM ANALYZE")
    report(f"everything else and VACUUM ANALYZE after {time.monotonic() - began:.0f} s")
