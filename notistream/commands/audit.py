"""`notistream audit`: prove that nothing accepted was lost, and repair what was forgotten."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from uuid import UUID

import click
import orjson
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn

from notistream.commands.parameters import MOMENT, tenant_id
from notistream.commands.services import settings_with_services, with_database
from notistream.db import tenants
from notistream.db.audit import Window
from notistream.db.audit_log import CLI
from notistream.db.pool import Database
from notistream.kafka.positions import Positions
from notistream.recording.audit import Audit, AuditReport, HourLine
from notistream.settings.model import Settings

SHOWN = 20
COUNTS = ("accepted", "terminal", "waiting", "overdue", "missing")


@click.command()
@click.option(
    "--repair", is_flag=True, help="Repair missing ones: queue them again, under a new seq."
)
@click.option(
    "--since",
    type=MOMENT,
    default="7d",
    show_default=True,
    help=(
        "Check what was accepted since then: a date and time (UTC if it names no zone), or a span"
        " such as 12h."
    ),
)
@click.option("--tenant", help="Only of this tenant (name or id).")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
@click.pass_context
def audit(
    ctx: click.Context, *, repair: bool, since: datetime, tenant: str | None, as_json: bool
) -> None:
    """Check that every accepted notification has ended or waits for something that wakes it.

    Exit status 1: some are missing and were not repaired.
    """
    with settings_with_services() as settings:
        report, names = with_database(
            settings,
            lambda database: _audit(settings, database, since=since, tenant=tenant, repair=repair),
        )
    if as_json:
        click.echo(orjson.dumps(_document(report), default=str, option=orjson.OPT_UTC_Z).decode())
    else:
        _show(report, names)
    ctx.exit(1 if report.unrepaired else 0)


async def _audit(
    settings: Settings, database: Database, *, since: datetime, tenant: str | None, repair: bool
) -> tuple[AuditReport, Mapping[UUID, str]]:
    positions = Positions(
        kafka=settings.kafka, prefix=settings.topic_prefix, group=settings.topic_prefix
    )
    window = Window(since, datetime.now(UTC), await tenant_id(database, tenant))
    columns = SpinnerColumn(), TextColumn("{task.completed:,} notifications looked at")
    console = Console(stderr=True)
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as progress:
        task = progress.add_task("audit", total=None)
        try:
            report = await Audit(
                database, positions, lease=timedelta(seconds=settings.lease_s)
            ).run(
                window,
                repair=repair,
                actor=CLI,
                on_page=lambda count: progress.advance(task, count),
            )
        finally:
            await positions.close()
    return report, {found.id: found.name for found in await tenants.list_all(database)}


def _document(report: AuditReport) -> Mapping[str, object]:
    return {
        "since": report.window.since,
        "until": report.window.until,
        "tenant_id": report.window.tenant_id,
        **{count: report.total(count) for count in COUNTS},
        "repaired": report.repaired,
        "unrepaired": report.unrepaired,
        "hours": [asdict(line) for line in report.hours],
        "missing_notifications": [asdict(missing) for missing in report.listed],
    }


def _show(report: AuditReport, names: Mapping[UUID, str]) -> None:
    accepted, terminal, waiting, overdue, missing = (report.total(count) for count in COUNTS)
    click.echo(
        f"accepted since {report.window.since:%Y-%m-%d %H:%M} UTC: {accepted:,} = {terminal:,}"
        f" ended + {waiting:,} waiting + {missing:,} missing"
    )
    open_hours = [line for line in report.hours if line.terminal < line.accepted]
    _show_hours(open_hours, names)
    if len(report.hours) > len(open_hours):
        click.echo(f"hours in which everything has ended: {len(report.hours) - len(open_hours):,}")
    if overdue:
        click.echo(f"{overdue:,} are overdue by more than two minutes: is a worker running?")
    _show_missing(report, names)


def _show_hours(lines: Sequence[HourLine], names: Mapping[UUID, str]) -> None:
    if not lines:
        return
    click.echo(
        f"\n{'TENANT':20} {'HOUR (UTC)':16} " + " ".join(f"{count.upper():>10}" for count in COUNTS)
    )
    for line in lines:
        counts = " ".join(f"{getattr(line, count):>10,}" for count in COUNTS)
        click.echo(
            f"{names.get(line.tenant_id, str(line.tenant_id))[:20]:20} {line.hour:%Y-%m-%d %H:%M}"
            f" {counts}"
        )
    click.echo()


def _show_missing(report: AuditReport, names: Mapping[UUID, str]) -> None:
    if not report.total("missing"):
        return
    click.echo("missing: nothing wakes them")
    for found in report.listed[:SHOWN]:
        done = "  repaired" if found.repaired else ""
        click.echo(
            f"  {found.id}  {names.get(found.tenant_id, str(found.tenant_id))}  {found.topic} "
            f" {found.status} since {found.since:%Y-%m-%d %H:%M:%S}{done}"
        )
    if report.total("missing") > SHOWN:
        click.echo(f"  … {report.total('missing') - SHOWN:,} more; --json lists up to 10,000")
    click.echo(
        f"{report.repaired:,} repaired, {report.unrepaired:,} not"
        if report.repaired
        else (
            "`notistream audit --repair` wakes them (each at most once a minute, then every two,"
            " four, …)"
        )
    )
