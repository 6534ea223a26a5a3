"""`notistream migrate up|down|status`."""

import asyncio

import click
import orjson

from notistream.commands.services import settings_with_services
from notistream.db import migrate as migrations


@click.group()
def migrate() -> None:
    """Change the database schema; safe to run from several machines at once."""


@migrate.command()
def up() -> None:
    """Apply all migrations that are missing."""
    with settings_with_services() as settings:
        done = asyncio.run(migrations.up(settings.database_url or ""))
    for migration in done:
        click.echo(f"applied {migration}")
    if not done:
        click.echo("the schema is up to date")


@migrate.command()
@click.option(
    "--steps", default=1, show_default=True, type=click.IntRange(1), help="How many to undo."
)
@click.confirmation_option(prompt="This drops tables and what is in them. Go on?")
def down(steps: int) -> None:
    """Undo the last migrations."""
    with settings_with_services() as settings:
        for migration in asyncio.run(migrations.down(settings.database_url or "", steps=steps)):
            click.echo(f"undone {migration}")


@migrate.command()
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
def status(*, as_json: bool) -> None:
    """Show every migration and whether it is applied."""
    with settings_with_services() as settings:
        known = asyncio.run(migrations.status(settings.database_url or ""))
    if as_json:
        rows = [{"number": m.number, "name": m.name, "applied": applied} for m, applied in known]
        click.echo(orjson.dumps(rows).decode())
        return
    for migration, applied in known:
        click.echo(f"{'applied' if applied else 'missing'}  {migration}")
