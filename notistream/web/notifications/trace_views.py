"""JSON shapes of a notification's trace, and what fills them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field
from typing_extensions import TypedDict

from notistream.db.records import StoredStep
from notistream.db.trace import QueuePlace
from notistream.recording.trace import Call, Timeline


class StepView(TypedDict):
    """One decision: which gate, what it said and why."""

    at: datetime
    gate: str
    verdict: str
    reason: str
    inputs: Mapping[str, Any]
    next_eligible_at: datetime | None


class AttemptView(TypedDict):
    """One provider call."""

    number: int
    chain: Annotated[int, Field(description="1, and 1 more per replay.")]
    provider: str | None
    started_at: datetime
    duration_ms: float | None
    outcome: str
    error: str | None
    late_outcome: Annotated[
        str | None, Field(description="What was reported after the worker's time was over.")
    ]
    late_at: datetime | None


class QueueView(TypedDict):
    """Where a pending notification waits for a worker."""

    lane: Annotated[str, Field(description="Channel and priority, such as sms.high.")]
    queued_at: datetime
    place: Annotated[
        Literal["held", "outbox", "kafka"],
        Field(
            description=(
                "held: until the lane has room for more of this tenant; outbox: to be published;"
                " kafka: published, a worker takes it in its turn."
            )
        ),
    ]
    ahead: Annotated[
        int, Field(description="Notifications of this tenant that are held back before it.")
    ]


class TraceView(TypedDict):
    """Every decision about a notification, oldest first, and every provider call."""

    notification_id: UUID
    status: str
    reason: str | None
    next_eligible_at: Annotated[
        datetime | None, Field(description="When one that waits is looked at again.")
    ]
    queue: Annotated[QueueView | None, Field(description="While it is pending.")]
    steps: list[StepView]
    attempts: list[AttemptView]


def trace(found: Timeline) -> TraceView:
    return {
        "notification_id": found.notification_id,
        "status": found.status,
        "reason": found.reason,
        "next_eligible_at": found.next_eligible_at,
        "queue": _queue(found.queue),
        "steps": [_step(step) for step in found.steps],
        "attempts": [_attempt(call) for call in found.attempts],
    }


def _queue(place: QueuePlace | None) -> QueueView | None:
    if place is None:
        return None
    return {
        "lane": place.lane,
        "queued_at": place.queued_at,
        "place": place.place,
        "ahead": place.ahead,
    }


def _step(step: StoredStep) -> StepView:
    return {
        "at": step.at,
        "gate": step.gate,
        "verdict": step.verdict,
        "reason": step.reason,
        "inputs": step.inputs,
        "next_eligible_at": step.next_eligible_at,
    }


def _attempt(call: Call) -> AttemptView:
    return {
        "number": call.number,
        "chain": call.chain,
        "provider": call.provider,
        "started_at": call.started_at,
        "duration_ms": call.duration_ms,
        "outcome": call.outcome,
        "error": call.error,
        "late_outcome": call.late_outcome,
        "late_at": call.late_at,
    }
