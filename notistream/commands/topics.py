"""`notistream topics`: create the topics, or say what is wrong with them."""

import asyncio

import click

from notistream import topics as kafka_topics
from notistream.commands.services import settings_with_services


@click.command()
def topics() -> None:
    """Create missing topics; fails where one has other partitions or replicas than configured."""
    with settings_with_services() as settings:
        wanted = kafka_topics.specs(settings)
        created = asyncio.run(kafka_topics.ensure(settings.kafka, wanted))
    click.echo(f"{len(created)} topics created, {len(wanted) - len(created)} were there")
