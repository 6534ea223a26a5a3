"""`notistream trace`: everything that was decided about one notification, as a timeline."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import groupby
from uuid import UUID

import click
import orjson

from notistream.commands.services import settings_with_services, with_database
from notistream.db import trace as stored
from notistream.db.pool import Database
from notistream.db.records import StoredNotification, StoredStep
from notistream.db.trace import QueuePlace
from notistream.errors import NotFound
from notistream.recording.trace import Call, Timeline, timeline_of

PLACES = {
    "held": "held back until the lane has room, behind {ahead} more of this tenant",
    "outbox": "to be published to Kafka",
    "kafka": "published; a worker takes it in its turn",
}
SHOWN_INPUT = 60


@click.command()
@click.argument("notification_id", metavar="ID", type=click.UUID)
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Machine-readable output: the same as GET …/trace answers.",
)
def trace(notification_id: UUID, *, as_json: bool) -> None:
    """Show every gate and every provider call of notification ID, of any tenant."""

    async def work(database: Database) -> tuple[StoredNotification, Timeline]:
        found = await stored.find(database, notification_id)
        if found is None:
            raise NotFound(f"there is no notification {notification_id}")
        return found, await timeline_of(database, found)

    with settings_with_services() as settings:
        notification, timeline = with_database(settings, work)
    if as_json:
        click.echo(orjson.dumps(timeline, option=orjson.OPT_UTC_Z, default=str).decode())
        return
    for line in (*_head(notification, timeline.queue), "", *_lines(timeline)):
        click.echo(line)


def _head(notification: StoredNotification, queue: QueuePlace | None) -> Iterator[str]:
    yield (
        f"{notification.id}  {notification.channel}  {notification.priority}  {notification.status}"
    )
    facts = {
        "tenant": notification.tenant_id,
        "to": notification.recipient_id or notification.recipient,
        "template": notification.template_name,
        "reason": notification.reason,
        "next": _at(notification.due_at) if notification.due_at else None,
        "expires": _at(notification.expires_at) if notification.expires_at else None,
        "queued": (
            f"{_at(queue.queued_at)} in {queue.lane},"
            f" {PLACES[queue.place].format(ahead=queue.ahead)}"
            if queue
            else None
        ),
    }
    yield from (f"  {name:9} {value}" for name, value in facts.items() if value is not None)


def _lines(timeline: Timeline) -> Iterator[str]:
    """Gates of one moment that passed share a line.

    A call comes after the gates that let it through.
    """
    events: list[tuple[tuple[datetime, int], StoredStep | Call]] = [
        *(((step.at, 0), step) for step in timeline.steps),
        *(((c.started_at, 1), c) for c in timeline.attempts),
    ]
    events.sort(key=lambda event: event[0])
    for (moment, _, silent), group in groupby(
        events, key=lambda event: (*event[0], _is_silent(event[1]))
    ):
        shown = [event for _, event in group]
        if silent:
            yield _line(
                moment,
                "gates",
                "passed",
                ", ".join(e.gate for e in shown if isinstance(e, StoredStep)),
            )
            continue
        yield from (_call(event) if isinstance(event, Call) else _step(event) for event in shown)


def _is_silent(event: StoredStep | Call) -> bool:
    return isinstance(event, StoredStep) and event.verdict == "passed" and not event.inputs


def _step(step: StoredStep) -> str:
    inputs = " ".join(f"{name}={str(value)[:SHOWN_INPUT]}" for name, value in step.inputs.items())
    due = f" → {_at(step.next_eligible_at)}" if step.next_eligible_at else ""
    return _line(
        step.at, step.gate, step.verdict, step.reason + due + (f"  ({inputs})" if inputs else "")
    )


def _call(call: Call) -> str:
    took = f"{call.duration_ms:.0f} ms" if call.duration_ms is not None else None
    late = f"reported late: {call.late_outcome}" if call.late_outcome else None
    chain = f"chain {call.chain}" if call.chain > 1 else None
    said: Sequence[str | None] = (call.provider, took, call.error, late, chain)
    return _line(
        call.started_at, f"attempt {call.number}", call.outcome, ", ".join(s for s in said if s)
    )


def _line(at: datetime, what: str, verdict: str, words: str) -> str:
    return f"{_at(at)}  {what:15} {verdict:11} {words}"


def _at(moment: datetime) -> str:
    """UTC, to the millisecond."""
    return f"{moment:%Y-%m-%d %H:%M:%S}.{moment.microsecond // 1000:03}Z"
