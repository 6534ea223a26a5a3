"""The trace of a notification: every decision in order of time, and every provider call."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from notistream.db import notifications
from notistream.db import trace as stored_trace
from notistream.db.pool import Queryable
from notistream.db.records import StoredAttempt, StoredNotification, StoredStep
from notistream.db.trace import QueuePlace
from notistream.delivery.stages import PLACES, STAGES, Stage
from notistream.domain.outcome import AttemptOutcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One provider call."""

    number: int
    chain: int
    provider: str | None
    started_at: datetime
    duration_ms: float | None
    outcome: str
    error: str | None
    late_outcome: str | None
    late_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """Where a notification is, why, when it is looked at again, and what was decided until now."""

    notification_id: UUID
    status: str
    reason: str | None
    next_eligible_at: datetime | None
    queue: QueuePlace | None
    steps: list[StoredStep]
    attempts: list[Call]


async def timeline_of(db: Queryable, notification: StoredNotification) -> Timeline:
    """The trace of a notification that was just read."""
    return timeline(
        notification,
        await notifications.trace_steps(db, notification.id),
        await notifications.attempts(db, notification.id),
        await stored_trace.queue_place(db, notification.id),
    )


def timeline(
    notification: StoredNotification,
    steps: Sequence[StoredStep],
    attempts: Sequence[StoredAttempt],
    queue: QueuePlace | None = None,
) -> Timeline:
    """Put in order what is stored."""
    gates = [step for attempt in attempts for step in _gates(attempt)]
    ordered = sorted((_accepted(notification, steps), *steps, *gates), key=lambda step: step.at)
    if (
        ordered[-1].next_eligible_at is None and ordered[-1].verdict != "passed"
    ):  # it stopped there, naming no time
        ordered[-1] = replace(ordered[-1], next_eligible_at=notification.due_at)
    return Timeline(
        notification_id=notification.id,
        status=notification.status,
        reason=notification.reason,
        next_eligible_at=notification.due_at,
        queue=queue,
        steps=ordered,
        attempts=[_call(a) for a in attempts if a.outcome != AttemptOutcome.NOT_CALLED],
    )


def _accepted(notification: StoredNotification, steps: Sequence[StoredStep]) -> StoredStep:
    """What it was accepted with; a later change of its time has kept the one before."""
    moved = next((step for step in steps if step.gate == "reschedule"), None)
    due = _moment(moved.inputs.get("scheduled_before")) if moved else notification.scheduled_at
    later = due is not None and due > notification.created_at
    return StoredStep(
        at=notification.created_at,
        gate="accept",
        verdict="accepted",
        reason="stored, to be sent later" if later else "stored and queued",
        inputs={"channel": notification.channel, "priority": notification.priority},
        next_eligible_at=due if later else None,
    )


def _gates(attempt: StoredAttempt) -> Iterator[StoredStep]:
    """The stages of an attempt, up to the one that stopped it, or to the call.

    A stage that stored no step let the message pass.
    """
    following = 0
    for step in attempt.steps:
        place = PLACES.get(step["gate"])
        if place is not None:
            yield from (_silent(attempt, stage) for stage in STAGES[following:place])
            following = max(following, place + 1)
        yield _stored(attempt, step)
    if attempt.provider is not None:
        yield from (_silent(attempt, stage) for stage in STAGES[following:])


def _stored(attempt: StoredAttempt, step: Mapping[str, Any]) -> StoredStep:
    """Stages are asked when the attempt begins; moments inside JSON are text."""
    return StoredStep(
        at=_moment(step.get("at")) or attempt.started_at,
        gate=step["gate"],
        verdict=step["verdict"],
        reason=step["reason"],
        inputs=step.get("inputs", {}),
        next_eligible_at=_moment(step.get("next_eligible_at")),
    )


def _silent(attempt: StoredAttempt, stage: Stage) -> StoredStep:
    """Where a provider was called, the stage `provider` names it."""
    step = stage.silent
    called = stage.name == "provider" and attempt.provider is not None
    return StoredStep(
        at=attempt.started_at,
        gate=step.gate,
        verdict=step.verdict,
        next_eligible_at=None,
        reason=f"{attempt.provider} was free to be called" if called else step.reason,
        inputs={"provider": attempt.provider} if called else {},
    )


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _call(attempt: StoredAttempt) -> Call:
    return Call(
        number=attempt.number,
        chain=attempt.chain,
        provider=attempt.provider,
        started_at=attempt.started_at,
        duration_ms=None if attempt.duration_ms is None else round(attempt.duration_ms, 3),
        outcome=attempt.outcome,
        error=attempt.error,
        late_outcome=attempt.late_outcome,
        late_at=attempt.late_at,
    )
