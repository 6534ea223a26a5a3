"""The bare limit of ingest: asyncpg COPY of the product's rows into a table of the same shape.

A process of its own: `python -m benchmarks.bare_copy JSON` with url, rows, size and connections.
`size` is the rows of one COPY, which is one transaction, as a batch is. Prints rows and seconds.
"""

import asyncio
import json
import sys
import time
from typing import Any

import asyncpg
import uvloop

TABLE = "bench_copy"
Rows = list[tuple[Any, ...]]


async def run(*, url: str, rows: int, size: int, connections: int) -> dict[str, Any]:
    pool = await asyncpg.create_pool(url, min_size=connections, max_size=connections)
    try:
        # Same columns, defaults, checks, indexes and fill factor.
        await pool.execute(
            f"DROP TABLE IF EXISTS {TABLE}; CREATE TABLE {TABLE} (LIKE notifications INCLUDING ALL)"
        )
        found = await pool.fetch("SELECT * FROM notifications ORDER BY id DESC LIMIT $1", rows)
        ready = [tuple(row.values()) for row in reversed(found)]
        chunks = [ready[at : at + size] for at in range(0, len(ready), size)]
        started = time.perf_counter()
        await asyncio.gather(*(_copy(pool, chunks) for _ in range(connections)))
        seconds = time.perf_counter() - started
        return {"done": await pool.fetchval(f"SELECT count(*) FROM {TABLE}"), "seconds": seconds}
    finally:
        await pool.execute(f"DROP TABLE IF EXISTS {TABLE}")
        await pool.close()


async def _copy(pool: asyncpg.Pool, chunks: list[Rows]) -> None:
    async with pool.acquire() as connection:
        while chunks:
            await connection.copy_records_to_table(TABLE, records=chunks.pop(0))


if __name__ == "__main__":
    print(json.dumps(uvloop.run(run(**json.loads(sys.argv[1])))))
