"""Answers: the JSON shapes that clients rely on.

`render` fills them, and the OpenAPI document shows them.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, NotRequired
from uuid import UUID

from pydantic import Field
from typing_extensions import TypedDict


class ReceiptView(TypedDict):
    """What the vendor said after it had accepted the message."""

    state: Annotated[
        str,
        Field(
            description=(
                "sent, delayed, undelivered, delivered, read, bounced, complained; only a word"
                " further on in this order takes another's place."
            )
        ),
    ]
    at: datetime
    detail: Annotated[str | None, Field(description="In the vendor's words.")]
    provider: str


class NotificationView(TypedDict):
    """A notification and where it is on its way."""

    id: UUID
    tenant_id: UUID
    batch_id: UUID | None
    channel: str
    recipient: str | None
    recipient_address: Annotated[str | None, Field(description="The same as `recipient`.")]
    recipient_id: str | None
    content: Annotated[str | None, Field(description="Once rendered, the rendered text.")]
    subject: str | None
    template_id: Annotated[
        UUID | str | None, Field(description="Id of the template; of a starter, its name.")
    ]
    template_name: str | None
    template_version: int | None
    template_variables: Mapping[str, Any]
    payload: Annotated[Mapping[str, Any], Field(description="The same as `template_variables`.")]
    locale: Annotated[
        str | None, Field(description="The sender's choice of language; null: the recipient's.")
    ]
    priority: str
    status: Annotated[
        str,
        Field(
            description=(
                "pending, scheduled, processing, retrying, deferred, unknown; and for good:"
                " delivered, failed, cancelled, suppressed, expired. `delivered` means that the"
                " provider accepted it."
            )
        ),
    ]
    final: Annotated[
        bool, Field(description="Whether the status is one that does not change on its own.")
    ]
    reason: Annotated[str | None, Field(description="Why it is where it is, in words.")]
    next_eligible_at: Annotated[
        datetime | None, Field(description="When one that waits is looked at again.")
    ]
    attempts: Annotated[int, Field(description="Provider calls begun.")]
    retry_count: int
    max_retries: int
    error_message: str | None
    provider: str | None
    provider_message_id: str | None
    receipt: Annotated[
        ReceiptView | None,
        Field(
            description="What became of it after it was accepted, where the provider reports that."
        ),
    ]
    type: str | None
    category: str | None
    metadata: Mapping[str, Any]
    on_unknown: str
    test: Annotated[
        bool, Field(description="Sent with a test key: it never reaches a real provider.")
    ]
    idempotency_key: str | None
    correlation_id: str | None
    scheduled_at: datetime | None
    expires_at: datetime | None
    sent_at: datetime | None
    failed_at: datetime | None
    created_at: datetime
    updated_at: datetime


class NotificationPage(TypedDict):
    """Newest first; `next_cursor` is null on the last page."""

    data: list[NotificationView]
    next_cursor: str | None


class BatchView(TypedDict):
    """pending + delivered + failed + cancelled = total.

    Refused items are apart, in `rejected_count`.
    """

    id: UUID
    tenant_id: UUID
    total_count: int
    pending_count: Annotated[int, Field(description="All that has not ended.")]
    delivered_count: int
    failed_count: int
    cancelled_count: Annotated[int, Field(description="Suppressed and expired ones included.")]
    suppressed_count: int
    expired_count: int
    rejected_count: int
    created_at: datetime


class FieldProblem(TypedDict):
    """One wrong place."""

    pointer: Annotated[
        str,
        Field(
            description=(
                "JSON pointer into the body; /path/NAME, /query/NAME and /header/NAME for what is"
                " not in it."
            )
        ),
    ]
    message: str


class Problem(TypedDict):
    """RFC 9457, with a stable `code`.

    `error` repeats the detail for clients that look for it there.
    """

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: list[FieldProblem]
    trace_id: str
    error: str
    id: NotRequired[
        Annotated[UUID, Field(description="With code duplicate_idempotency_key: who has the key.")]
    ]
    notification: NotRequired[NotificationView]


class BatchAccepted(TypedDict):
    """The batch and, in the order of the request, each notification or the problem with it."""

    batch: BatchView
    notifications: list[NotificationView | Problem]


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
    """Everything that was decided about a notification, in order of time, and every provider call."""

    notification_id: UUID
    status: str
    reason: str | None
    next_eligible_at: Annotated[
        datetime | None, Field(description="When one that waits is looked at again.")
    ]
    queue: Annotated[QueueView | None, Field(description="While it is pending.")]
    steps: list[StepView]
    attempts: list[AttemptView]


class ChannelFigures(TypedDict):
    """Deliveries and final failures; latency from creation to acceptance by the provider."""

    sent: int
    failed: int
    avg_latency_ms: float
    success_rate: Annotated[
        float, Field(description="Per cent of those that ended; 0 where none has.")
    ]


class Figures(TypedDict):
    """Every channel, zeros included."""

    channels: Mapping[str, ChannelFigures]


class Liveness(TypedDict):
    """The process answers."""

    status: str


class ReadinessView(TypedDict):
    """Each dependency: `healthy`, or what is wrong."""

    status: str
    checks: Mapping[str, str]
