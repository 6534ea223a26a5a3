"""`notistream dlq replay`: by ids, by filters, or straight from a range of a Kafka topic."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

import click
import orjson
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from notistream.commands.dlq_filters import AS_JSON, DeadLetterFilters, filters
from notistream.commands.services import settings_with_services, with_database
from notistream.db.audit_log import CLI
from notistream.db.dead_letters import Kinds
from notistream.db.pool import Database
from notistream.dead_letters.letters import DeadLetters, ReplayCount
from notistream.dead_letters.topic_replay import Range, TopicReplay
from notistream.errors import NotFound, NotReplayable
from notistream.settings.model import Settings

ALL = 2**31
KINDS_SHOWN = 20
OFFSETS = ("topic", "partition", "first", "last")


@dataclass(frozen=True, slots=True)
class Selection:
    """What to replay: ids, or records of a topic, or all that the filters leave."""

    entries: tuple[UUID, ...]
    filters: DeadLetterFilters
    range: Range | None

    @classmethod
    def of(cls, *, entries: tuple[UUID, ...], everything: bool, **options: Any) -> "Selection":
        """The selection of the command's options; raises click.UsageError unless it is clear."""
        span = _range(*(options.pop(name) for name in OFFSETS))
        filters = DeadLetterFilters(**options)
        if [bool(entries), filters.anything, everything, span is not None].count(True) != 1:
            raise click.UsageError(
                "say which: ids, or filters, or --all, or --topic with --partition, --from and --to"
            )
        return cls(entries, filters, span)


def _range(
    topic: str | None, partition: int | None, first: int | None, last: int | None
) -> Range | None:
    if topic is None and partition is None and first is None and last is None:
        return None
    if topic is None or partition is None or first is None or last is None:
        raise click.UsageError("--topic, --partition, --from and --to go together")
    if first > last:
        raise click.UsageError("--from must not be after --to")
    return Range(topic, partition, first, last)


@click.command()
@click.argument("entries", nargs=-1, type=click.UUID)
@filters
@click.option("--all", "everything", is_flag=True, help="All that wait, without any filter.")
@click.option("--topic", help="Replay from Kafka: this topic, with or without the prefix.")
@click.option("--partition", type=click.IntRange(0), help="With --topic.")
@click.option("--from", "first", type=click.IntRange(0), help="With --topic: the first offset.")
@click.option("--to", "last", type=click.IntRange(0), help="With --topic: the last offset.")
@click.option("--dry-run", is_flag=True, help="Only say what would be replayed.")
@AS_JSON
@click.pass_context
def replay(ctx: click.Context, /, *, dry_run: bool, as_json: bool, **options: Any) -> None:
    """Replay dead letters by their ids (ENTRIES), by filters, or a range of a topic's records.

    A failed delivery is queued again under a new chain. An undecodable record is produced again
    unchanged. What was replayed before is skipped. The records of a topic that is not a dead-letter
    topic are produced to it once more; workers drop what is stale. Exit status 1: something was
    skipped.
    """
    selected = Selection.of(**options)
    with settings_with_services() as settings:
        if selected.range is not None:
            shown, complete = _replay_topic(settings, selected.range, dry_run=dry_run)
        elif selected.entries:
            shown, complete = _replay_entries(settings, selected.entries, dry_run=dry_run)
        else:
            shown, complete = _replay_matching(settings, selected.filters, dry_run=dry_run)
    click.echo(orjson.dumps(shown, default=str).decode() if as_json else "\n".join(_lines(shown)))
    ctx.exit(0 if complete else 1)


def _replay_entries(
    settings: Settings, entries: Sequence[UUID], *, dry_run: bool
) -> tuple[Mapping[str, Any], bool]:
    """The outcome of each."""

    async def work(database: Database) -> dict[str, str]:
        letters = DeadLetters(database, prefix=settings.topic_prefix)
        outcomes: dict[str, str] = {}
        for entry in entries:
            try:
                found = (
                    await letters.get(entry) if dry_run else await letters.replay(entry, actor=CLI)
                )
                outcomes[str(entry)] = "replayed" if found.replayed_at else "waiting"
            except (NotFound, NotReplayable) as exc:
                outcomes[str(entry)] = f"not replayed: {exc.detail}"
        return outcomes

    outcomes = with_database(settings, work)
    complete = not any(text.startswith("not") for text in outcomes.values())
    return {"dry_run": dry_run, "entries": outcomes}, complete


def _replay_matching(
    settings: Settings, wanted: DeadLetterFilters, *, dry_run: bool
) -> tuple[Mapping[str, Any], bool]:
    async def work(database: Database) -> tuple[Kinds, ReplayCount]:
        letters = DeadLetters(database, prefix=settings.topic_prefix)
        meant = await wanted.filter(database)
        kinds = await letters.kinds(meant)
        if dry_run:
            return kinds, ReplayCount(0, 0)
        with _bar("dead letters", kinds.total) as (progress, task):
            return kinds, await letters.replay_matching(
                meant, actor=CLI, limit=ALL, progress=lambda count: progress.advance(task, count)
            )

    kinds, outcome = with_database(settings, work)
    return {
        "dry_run": dry_run,
        "matched": kinds.total,
        "replayed": outcome.replayed,
        "skipped": outcome.skipped,
        "kinds": [asdict(kind) for kind in kinds.most],
    }, not outcome.skipped


def _replay_topic(
    settings: Settings, span: Range, *, dry_run: bool
) -> tuple[Mapping[str, Any], bool]:
    async def work(database: Database) -> Mapping[str, Any]:
        letters = DeadLetters(database, prefix=settings.topic_prefix)
        replays = TopicReplay(database, letters, kafka=settings.kafka, prefix=settings.topic_prefix)
        with _bar("offsets", span.last - span.first + 1) as (progress, task):
            return asdict(
                await replays.run(
                    span,
                    actor=CLI,
                    dry_run=dry_run,
                    on_read=lambda done, total: progress.update(task, completed=done, total=total),
                )
            )

    found = with_database(settings, work)
    return {"dry_run": dry_run, **found}, not found["skipped"]


@contextmanager
def _bar(what: str, total: int) -> Iterator[tuple[Progress, Any]]:
    console = Console(stderr=True)
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as progress:
        yield progress, progress.add_task(what, total=total)


def _lines(shown: Mapping[str, Any]) -> Iterator[str]:
    """For people."""
    for entry, text in shown.get("entries", {}).items():
        yield f"{entry}  {text}"
    kinds = shown.get("kinds", [])
    for kind in kinds[:KINDS_SHOWN]:
        yield f"{kind['count']:>9,}  {kind['channel']:6}  {kind['reason']}"
    if len(kinds) > KINDS_SHOWN:
        yield f"{'…':>9}  and more kinds; --json lists up to 100"
    if "matched" in shown:
        yield (
            f"{shown['matched']:,} waiting, {shown['replayed']:,} replayed, {shown['skipped']:,}"
            " skipped"
        )
    if "begin" in shown:
        would = "would be " if shown["dry_run"] else ""
        yield (
            f"offsets {shown['begin']} to {shown['end'] - 1}: {shown['replayed']:,} deliveries"
            f" {would}queued again, {shown['produced']:,} records {would}produced again"
            if shown["end"] > shown["begin"]
            else "Kafka has no records in this range (any more)"
        )
        yield from (f"{count:>9,}  skipped: {reason}" for reason, count in shown["skipped"].items())
    if shown["dry_run"]:
        yield "nothing was replayed; leave out --dry-run to do it"
