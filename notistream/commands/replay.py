"""`notistream replay`: send again what ended in a span of time; shows first what that means."""

import asyncio
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from uuid import UUID

import click
import orjson
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeRemainingColumn,
)
from uuid_utils.compat import uuid7

from notistream.commands.parameters import MOMENT, tenant_id
from notistream.commands.services import settings_with_services, with_database
from notistream.db.audit_log import CLI
from notistream.db.pool import Database
from notistream.db.range_replays import Group, Range, StoredReplay
from notistream.dead_letters.range_replay import (
    MOST_PER_S,
    PER_S,
    RUNNING,
    STOPPED,
    RangeReplays,
    Survey,
)
from notistream.domain.notification import CHANNEL_NAMES, TERMINAL

STEP_S = 0.2
ENDED = sorted(status.value for status in TERMINAL)
VERDICTS: Mapping[str, str] = {
    "send": "would be sent again",
    "replayed": "skipped: was replayed under this id",
    "duplicate": "skipped: was delivered after all",
    "expired": "skipped: has expired",
    "suppressed": "skipped: suppressed address",
    "unwanted": "skipped: turned off by the recipient",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Options:
    """What was asked for on the command line."""

    since: datetime | None
    until: datetime | None
    channel: str | None
    tenant: str | None
    statuses: tuple[str, ...]
    rate: float | None
    replay_id: UUID | None
    yes: bool
    as_json: bool


@click.command()
@click.option(
    "--since", type=MOMENT, help="Accepted since then: a date and time (UTC), or a span such as 2h."
)
@click.option("--until", type=MOMENT, help="Accepted before then. Default: now.")
@click.option("--channel", type=click.Choice(list(CHANNEL_NAMES)), help="Only of this channel.")
@click.option("--tenant", help="Only of this tenant (name or id).")
@click.option(
    "--status",
    "statuses",
    multiple=True,
    type=click.Choice(ENDED),
    default=["failed"],
    show_default=True,
    help="May be repeated. `delivered` sends what was delivered a second time.",
)
@click.option(
    "--rate",
    type=click.FloatRange(0, MOST_PER_S, min_open=True),
    help=f"Per second. Default: {PER_S:g}.",
)
@click.option(
    "--id",
    "replay_id",
    type=click.UUID,
    help="Of this replay: it sends nothing twice, and can be resumed.",
)
@click.option(
    "--yes", is_flag=True, help="Send. Without it, the command only says what would be sent."
)
@click.option("--dry-run", is_flag=True, help="Only say what would be sent (the default).")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
@click.pass_context
def replay(ctx: click.Context, /, *, channel: str | None, dry_run: bool, **given: object) -> None:
    """Send again what ended in a span of time, at a rate, at most once per replay.

    Ctrl-C stops the replay; --id ID --yes resumes it. Exit status 1: it was stopped.
    """
    options = _Options(channel=CHANNEL_NAMES[channel] if channel else None, **given)  # type: ignore[arg-type]
    if options.since is None and options.replay_id is None:
        raise click.UsageError("give --since, or --id of a replay to resume")
    if dry_run and options.yes:
        raise click.UsageError("--yes sends, --dry-run does not: give one of them")
    if options.since and options.since >= (options.until or datetime.now(UTC)):
        raise click.UsageError("--since must lie before --until, and before now")
    with settings_with_services() as settings:
        stopped = with_database(settings, lambda database: _replay(database, options))
    ctx.exit(1 if stopped else 0)


async def _replay(database: Database, options: _Options) -> bool:
    """Whether the replay was stopped before its end."""
    replays = RangeReplays(database)
    replay_id = options.replay_id or uuid7()
    if options.since is None:
        found = await replays.get(replay_id)
        if options.yes:
            found = await replays.resume(replay_id, rate=options.rate, actor=CLI)
            found = await _finish(replays, found, options)
        return _show_state(found, options)
    meant = Range(
        since=options.since,
        until=options.until,
        channel=options.channel,
        statuses=options.statuses,
        tenant_id=await tenant_id(database, options.tenant),
    )
    survey = await _survey(replays, meant, replay_id)
    rate = options.rate or PER_S
    if not options.yes or not options.as_json:
        _show_survey(survey, meant, rate=rate, options=options)
    if not options.yes:
        return False
    started = await replays.start(replay_id, meant, rate=rate, total=survey.total, actor=CLI)
    return _show_state(await _finish(replays, started, options), options)


async def _survey(replays: RangeReplays, meant: Range, replay_id: UUID) -> Survey:
    console = Console(stderr=True)
    columns = SpinnerColumn(), TextColumn("{task.completed:,} found")
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as progress:
        task = progress.add_task("survey", total=None)
        return await replays.survey(
            meant, replay_id=replay_id, on_page=lambda count: progress.advance(task, count)
        )


async def _finish(replays: RangeReplays, started: StoredReplay, options: _Options) -> StoredReplay:
    """Take steps beside the workers, so that it also ends where none run. Ctrl-C stops it."""
    console = Console(stderr=True)
    columns = (
        TextColumn(f"replay {started.id}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    hidden = options.as_json or not console.is_terminal
    with Progress(*columns, console=console, disable=hidden) as progress:
        task = progress.add_task("replay", total=started.total)
        try:
            while (found := await replays.get(started.id)).state == RUNNING:
                progress.update(task, completed=found.queued + found.skipped)
                await replays.step(started.id)
                await asyncio.sleep(STEP_S)
        except asyncio.CancelledError:
            found = await replays.stop(started.id, actor=CLI)
        progress.update(task, completed=found.queued + found.skipped)
    return found


def _show_state(found: StoredReplay, options: _Options) -> bool:
    if options.as_json:
        click.echo(orjson.dumps(asdict(found), default=str, option=orjson.OPT_UTC_Z).decode())
    else:
        click.echo(
            f"replay {found.id} is {found.state}: {found.queued:,} queued again, {found.skipped:,}"
            f" skipped, of {found.total:,}"
        )
        if found.state == STOPPED:
            click.echo(f"to resume: notistream replay --id {found.id} --yes")
    return found.state == STOPPED


def _survey_document(survey: Survey, meant: Range) -> Mapping[str, object]:
    return {
        "dry_run": True,
        "range": asdict(meant),
        "total": survey.total,
        "to_send": survey.count("send"),
        "skipped": survey.total - survey.count("send"),
        "perhaps_again": survey.perhaps_again,
        "replayed_before": survey.replayed_before,
        "groups": [asdict(group) for group in survey.groups],
    }


def _show_survey(survey: Survey, meant: Range, *, rate: float, options: _Options) -> None:
    if options.as_json:
        document = _survey_document(survey, meant)
        click.echo(orjson.dumps(document, default=str, option=orjson.OPT_UTC_Z).decode())
        return
    if survey.groups:
        click.echo(f"{'CHANNEL':8} {'STATUS':10} {'TEMPLATE':20} {'COUNT':>9}  WHAT")
    for group in survey.groups:
        click.echo(
            f"{group.channel:8} {group.status:10} {(group.template or '-')[:20]:20}"
            f" {group.count:>9,}  {VERDICTS[group.verdict]}{_doubt(group)}"
        )
    to_send = survey.count("send")
    click.echo(
        f"{survey.total:,} found, {to_send:,} to send: about {to_send / rate:,.0f} s at {rate:g}"
        " per second"
    )
    again = sum(
        group.count
        for group in survey.groups
        if group.status == "delivered" and group.verdict == "send"
    )
    if again:
        click.secho(
            f"WARNING: {again:,} of them were delivered. Their recipients get them a SECOND time.",
            fg="red",
            bold=True,
        )
    if survey.replayed_before:
        click.echo(f"{survey.replayed_before:,} were replayed under this id before")
    if not options.yes:
        click.echo("nothing was sent; --yes sends")


def _doubt(group: Group) -> str:
    if not group.perhaps_again or group.status == "delivered":
        return ""
    return f" ({group.perhaps_again:,} of unknown outcome: they may have arrived)"
