"""`python -m benchmarks.size`: fills a database of its own, asks a real API process, prints how long answers take."""

import asyncio
import json
import os
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import asyncpg
import click

from benchmarks import topics
from benchmarks.product import Site
from benchmarks.size.questions import known, questions, statements
from benchmarks.size.rows import fill
from notistream.db.pool import Database
from notistream.local.services import attach_or_start
from notistream.settings.reading import load_settings

TOKEN = "size-admin-token-0123456789"
Figures = dict[str, Mapping[str, float]]


class FilledSite(Site):
    """A site whose tables are full before the product sees them."""

    def __init__(self, *arguments: object, rows: int) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]
        self._rows = rows

    async def prepare(self) -> None:
        await self._run("migrate", "up")
        async with self._connection() as connection:
            await fill(connection, self._rows, report=click.echo)
            size = await connection.fetchval(
                "SELECT pg_size_pretty(pg_database_size(current_database()))"
            )
            click.echo(f"the database has {size}")
        for command in (("topics",), ("seed", "--demo")):
            await self._run(*command)

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[asyncpg.Connection]:
        async with self._connection() as connection:
            yield connection


@click.command(help=__doc__)
@click.option("--rows", type=click.IntRange(1000), default=1_000_000, show_default=True)
@click.option(
    "--requests", type=click.IntRange(10), default=300, show_default=True, help="Of each kind."
)
@click.option(
    "--json",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where to write the figures.",
)
def main(*, rows: int, requests: int, path: Path | None) -> None:
    load = os.getloadavg()[0]
    click.echo(
        f"{os.cpu_count()} cores, load {load:.2f}, {rows:,} notifications, {requests} requests of"
        " each kind"
    )
    figures = asyncio.run(_run(rows, requests))
    click.echo(f"{'':34}{'p50 ms':>9}{'p99 ms':>9}{'most ms':>9}")
    for name, found in figures.items():
        click.echo(f"{name:34}{found['p50']:9.1f}{found['p99']:9.1f}{found['max']:9.1f}")
    if path:
        path.write_text(
            json.dumps({"rows": rows, "load": load, "figures": figures}, indent=2) + "\n"
        )


async def _run(rows: int, requests: int) -> Figures:
    settings = load_settings()
    with (
        tempfile.TemporaryDirectory(prefix="notistream-size-") as folder,
        attach_or_start(
            settings.state_dir,
            click.echo,
            database_url=settings.database_url,
            kafka_brokers=settings.kafka_brokers,
        ) as endpoints,
    ):
        async with aiohttp.ClientSession(headers={"X-Admin-Token": TOKEN}) as http:
            site = FilledSite(http, endpoints, Path(folder), [], {"ADMIN_TOKEN": TOKEN}, rows=rows)
            admin = await asyncpg.connect(endpoints.database_url)
            name = urlsplit(site.database_url).path[1:]
            try:
                await admin.execute(f"CREATE DATABASE {name}")
                await site.prepare()
                async with site.serving():
                    return await _ask(site, http, requests)
            finally:
                await admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
                await admin.close()
                await topics.delete(endpoints.kafka_brokers, site.prefix)


async def _ask(site: FilledSite, http: aiohttp.ClientSession, requests: int) -> Figures:
    async with site.connected() as connection:
        paths = questions(await known(connection))
    figures: Figures = {}
    for name, path in paths.items():
        figures[name] = await _timed(partial(_get, http, site.api.url, path), requests)
    database = Database(site.database_url, size=2, name="size")
    try:
        for name, statement in statements(database).items():
            figures[name] = await _timed(statement, requests)
    finally:
        await database.close()
    return figures


async def _get(http: aiohttp.ClientSession, url: str, path: Callable[[], str]) -> None:
    async with http.get(url + path()) as answer:
        body = await answer.read()
        if answer.status != 200:
            raise click.ClickException(f"{answer.url} answered {answer.status}: {body[:300]!r}")


async def _timed(work: Callable[[], Awaitable[object]], times: int) -> Mapping[str, float]:
    """One after the other.

    The first ten, for which statements are prepared and plans made, count too.
    """
    took = []
    for _ in range(times):
        began = time.perf_counter()
        await work()
        took.append((time.perf_counter() - began) * 1000)
    ordered = sorted(took)
    return {
        "p50": statistics.median(took),
        "p99": ordered[min(int(len(ordered) * 0.99), len(ordered) - 1)],
        "max": ordered[-1],
    }


if __name__ == "__main__":
    main()
