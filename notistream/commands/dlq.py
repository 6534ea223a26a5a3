"""`notistream dlq`: list, show, replay and delete dead letters from the shell."""

from dataclasses import asdict
from typing import Any
from uuid import UUID

import click
import orjson

from notistream.commands.dlq_filters import AS_JSON, DeadLetterFilters, filters
from notistream.commands.dlq_replay import replay
from notistream.commands.services import settings_with_services, with_database
from notistream.db import dead_letters
from notistream.db.audit_log import CLI
from notistream.db.dead_letters import DeadLetter, WholeDeadLetter
from notistream.db.pool import Database
from notistream.dead_letters.letters import DeadLetters, readable
from notistream.errors import NotFound


@click.group()
def dlq() -> None:
    """Dead letters: failed deliveries, and records that could not be decoded."""


dlq.add_command(replay)


@dlq.command("list")
@filters
@click.option(
    "--replayed/--waiting",
    default=None,
    help="Only replayed ones, or only those that wait. Default: both.",
)
@click.option(
    "--limit",
    type=click.IntRange(1, 10_000),
    default=20,
    show_default=True,
    help="How many at most.",
)
@AS_JSON
def list_(*, replayed: bool | None, limit: int, as_json: bool, **given: Any) -> None:
    """List dead letters, newest first."""

    async def work(database: Database) -> list[DeadLetter]:
        shown = await DeadLetterFilters(**given).filter(database, replayed=replayed)
        return await dead_letters.list_page(database, shown, before=None, limit=limit)

    with settings_with_services() as settings:
        found = with_database(settings, work)
    if as_json:
        click.echo(
            orjson.dumps(
                [document(one) for one in found], default=str, option=orjson.OPT_UTC_Z
            ).decode()
        )
        return
    for one in found:
        state = "replayed" if one.replayed_at else "waiting"
        click.echo(
            f"{one.id}  {one.created_at:%Y-%m-%d %H:%M:%S}  {one.channel:6}  {state:8} "
            f" {one.reason}"
        )
    if not found:
        click.echo("no dead letters")


@dlq.command()
@click.argument("entry", type=click.UUID)
@AS_JSON
def show(entry: UUID, *, as_json: bool) -> None:
    """Show the dead letter ENTRY (an id): its origin, every provider call, and its bytes."""
    with settings_with_services() as settings:
        found = with_database(
            settings,
            lambda database: DeadLetters(database, prefix=settings.topic_prefix).get(entry),
        )
    shown = document(found)
    if as_json:
        click.echo(orjson.dumps(shown, default=str, option=orjson.OPT_UTC_Z).decode())
        return
    for name, value in shown.items():
        if name not in ("history", "headers") and value is not None:
            click.echo(f"{name:20} {printable(str(value))}")
    for header in shown["headers"]:
        click.echo(f"{'header':20} {printable(header['name'])}: {printable(header['value'] or '')}")
    for call in found.history:
        click.echo(
            f"{'call':20} {call.get('chain')}.{call.get('number')}  {call.get('started_at')}  "
            f"{call.get('provider') or '-'}  {call.get('outcome')}  {call.get('error') or ''}"
        )


def printable(text: str) -> str:
    """Text of others, without control sequences for the terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def document(found: DeadLetter) -> dict[str, Any]:
    """For JSON, with bytes as text."""
    shown = {"status": "replayed" if found.replayed_at else "waiting", **asdict(found)}
    if isinstance(found, WholeDeadLetter):
        for name in ("key", "value"):
            shown[name], shown[f"{name}_encoding"] = readable(shown[name])
        headers = [(name, *readable(text)) for name, text in found.headers]
        shown["headers"] = [
            {"name": name, "value": text, "encoding": encoding} for name, text, encoding in headers
        ]
    return shown


@dlq.command()
@click.argument("entries", nargs=-1, required=True, type=click.UUID)
@AS_JSON
def delete(entries: tuple[UUID, ...], *, as_json: bool) -> None:
    """Delete the dead letters ENTRIES (ids): clears their bytes and history for good."""
    with settings_with_services() as settings:
        deleted = with_database(
            settings,
            lambda database: DeadLetters(database, prefix=settings.topic_prefix).delete(
                entries, actor=CLI
            ),
        )
    gone = [str(entry) for entry in entries if entry in deleted]
    click.echo(orjson.dumps({"deleted": gone}).decode() if as_json else f"{len(gone)} deleted")
    if missing := [str(entry) for entry in entries if entry not in deleted]:
        raise NotFound(f"there is no dead letter {', '.join(missing)}")
