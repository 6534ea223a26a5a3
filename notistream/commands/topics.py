"""`notistream topics`: create the topics, say what is wrong with them, or give them more partitions."""

import asyncio
import time

import click

from notistream.commands.services import settings_with_services, with_database
from notistream.db import audit_log, slots
from notistream.db.audit_log import CLI
from notistream.db.pool import Database
from notistream.errors import Conflict
from notistream.kafka import topics as kafka_topics
from notistream.settings.model import Settings

PATIENCE_S = 3.0
NEXT = """If NOTISTREAM_TOPIC_PARTITIONS is set, set NOTISTREAM_TOPIC_PARTITIONS={count} for every process.
Restart the API, then start the workers.
Recipients who have moved to another partition: their limits begin anew, and what still waits for them on the old one
may come after what is sent from now on."""


@click.command()
@click.option(
    "--grow",
    "count",
    type=click.IntRange(1, 1000),
    metavar="N",
    help=(
        "Give every topic N partitions: source, retry, dead-letter, event and changelog topics"
        " together. Refused while workers run. See docs/scaling.md."
    ),
)
def topics(count: int | None) -> None:
    """Create missing topics; fails where one has other partitions or replicas than configured."""
    with settings_with_services() as settings:
        if count is None:
            found = asyncio.run(kafka_topics.ensure(settings.kafka, settings))
            created = len(found.names)
            click.echo(f"{created} topics created, {found.topics - created} were there")
            return
        grown = with_database(settings, lambda database: _grow(settings, database, count))
    if not grown:
        click.echo(f"all topics have {count} partitions already")
        return
    click.echo(f"{grown} topics have {count} partitions now")
    click.echo(NEXT.format(count=count))


async def _grow(settings: Settings, database: Database, count: int) -> int:
    """How many topics were changed."""
    deadline = time.monotonic() + PATIENCE_S
    while (running := await slots.live(database)) and time.monotonic() < deadline:
        await asyncio.sleep(0.2)  # PostgreSQL may not have missed yet one that has just stopped
    if running:
        raise Conflict(
            f"stop the workers first: {', '.join(f'slot {slot}' for slot in running)} still runs"
        )
    wanted = kafka_topics.specs(settings, count)
    grown = await kafka_topics.grow(settings.kafka, wanted, group=settings.topic_prefix)
    if grown:
        await audit_log.record(
            database,
            CLI,
            "topics.grow",
            settings.topic_prefix,
            {"partitions": count, "topics": len(grown)},
        )
    return len(grown)
