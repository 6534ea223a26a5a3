"""`notistream retention`: delete expired rows now, or count them."""

from collections.abc import Mapping

import click
import orjson
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn

from notistream.commands.services import settings_with_services, with_database
from notistream.db import retention as stored
from notistream.recording.retention import Retention, spans


@click.command()
@click.option("--dry-run", is_flag=True, help="Only count what would be deleted.")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
def retention(*, dry_run: bool, as_json: bool) -> None:
    """Delete what is older than NOTISTREAM_RETENTION_…; what waits is never deleted.

    Workers do the same every hour. This command works at once, with shorter rests.
    """
    with settings_with_services() as settings:
        kept = {table: span.days for table, span in spans(settings).items()}
        counts = (
            with_database(
                settings,
                lambda database: _run(Retention(database, spans(settings)), really=not dry_run),
            )
            if kept
            else {}
        )
    if as_json:
        click.echo(
            orjson.dumps(
                {
                    "dry_run": dry_run,
                    "tables": {
                        table: {"days": kept[table], "deleted": count}
                        for table, count in counts.items()
                    },
                }
            ).decode()
        )
    else:
        _show(kept, counts, dry_run=dry_run)


async def _run(work: Retention, *, really: bool) -> Mapping[str, int]:
    columns = SpinnerColumn(), TextColumn("{task.description}: {task.completed:,}")
    console = Console(stderr=True)
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as progress:
        tasks = {table: progress.add_task(table, total=None) for table in stored.TABLES}
        return await work.run(
            really=really, on_step=lambda table, count: progress.advance(tasks[table], count)
        )


def _show(kept: Mapping[str, int], counts: Mapping[str, int], *, dry_run: bool) -> None:
    click.echo(f"{'TABLE':20} {'KEPT FOR':>12} {'WOULD GO' if dry_run else 'DELETED':>12}")
    for table in stored.TABLES:
        days = f"{kept[table]:,} days" if table in kept else "ever"
        click.echo(f"{table:20} {days:>12} {counts.get(table, 0):>12,}")
