"""What every command needs first: settings that name a database and a broker, the local ones where none are set."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import click

from notistream.db.pool import Database
from notistream.settings.model import Settings
from notistream.settings.reading import load_settings

R = TypeVar("R")


@contextmanager
def settings_with_services() -> Iterator[Settings]:
    """Settings whose database_url and kafka_brokers are set.

    Attaches to, or starts, the local services.
    """
    settings = load_settings()
    if settings.database_url and settings.kafka_brokers:
        yield settings
        return
    # An extra that servers do not install.
    from notistream.local.services import attach_or_start  # noqa: PLC0415

    with attach_or_start(
        settings.state_dir,
        lambda line: click.echo(line, err=True),
        database_url=settings.database_url,
        kafka_brokers=settings.kafka_brokers,
    ) as endpoints:
        yield load_settings(
            database_url=endpoints.database_url, kafka_brokers=endpoints.kafka_brokers
        )


def with_database(settings: Settings, work: Callable[[Database], Awaitable[R]]) -> R:
    """Run `work` on a small pool that is closed afterwards."""

    async def run() -> R:
        assert settings.database_url is not None
        database = Database(settings.database_url, size=2, name="notistream-cli")
        try:
            return await work(database)
        finally:
            await database.close()

    return asyncio.run(run())
