"""What the service answers about notifications, as frozen values.

Fields that a newer service adds are ignored.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """A part of a list, and the cursor of the next page; None on the last page."""

    data: tuple[T, ...]
    next_cursor: str | None = None

    def __iter__(self) -> Iterator[T]:
        return iter(self.data)

    def __len__(self) -> int:
        return len(self.data)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryReceipt:
    """What the vendor reported after it had accepted the message."""

    state: str
    at: datetime
    provider: str
    detail: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """A notification and its current state.

    `content` is the rendered text as soon as there is one.
    """

    id: str
    tenant_id: str
    batch_id: str | None = None
    channel: str
    recipient: str | None = None
    recipient_id: str | None = None
    content: str | None = None
    subject: str | None = None
    template_id: str | None = None
    template_name: str | None = None
    template_version: int | None = None
    template_variables: Mapping[str, Any]
    locale: str | None = None
    priority: str
    status: str
    final: bool
    """True when the service will not change the status any more."""
    reason: str | None = None
    next_eligible_at: datetime | None = None
    attempts: int
    """How many provider calls were started."""
    retry_count: int
    max_retries: int
    error_message: str | None = None
    provider: str | None = None
    provider_message_id: str | None = None
    receipt: DeliveryReceipt | None = None
    type: str | None = None
    category: str | None = None
    metadata: Mapping[str, Any]
    on_unknown: str
    test: bool
    idempotency_key: str | None = None
    correlation_id: str | None = None
    scheduled_at: datetime | None = None
    expires_at: datetime | None = None
    sent_at: datetime | None = None
    failed_at: datetime | None = None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldProblem:
    """One fault of a request: where (a JSON pointer) and what (a sentence)."""

    pointer: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Why something was refused (RFC 9457); `code` is stable."""

    code: str
    status: int
    title: str = ""
    detail: str = ""
    type: str = "about:blank"
    errors: tuple[FieldProblem, ...] = ()
    trace_id: str = ""
    id: str | None = None
    """With code duplicate_idempotency_key: the id of the notification that has the key."""
    notification: Notification | None = None
    """That notification itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """The progress of a batch: pending + delivered + failed + cancelled = total.

    `rejected_count` counts the items that were refused; they are not part of the total.
    """

    id: str
    tenant_id: str
    total_count: int
    pending_count: int
    delivered_count: int
    failed_count: int
    cancelled_count: int
    suppressed_count: int
    expired_count: int
    rejected_count: int
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchAccepted:
    """A batch and, in the order of the request, each notification or its problem."""

    batch: Batch
    notifications: tuple[Notification | Problem, ...]

    @property
    def accepted(self) -> tuple[Notification, ...]:
        return tuple(one for one in self.notifications if isinstance(one, Notification))

    @property
    def refused(self) -> Mapping[int, Problem]:
        """Problems by the index of the item in the request."""
        return {
            place: one for place, one in enumerate(self.notifications) if isinstance(one, Problem)
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One decision: the gate, its verdict and the reason. Steps of a preview have no `at`."""

    gate: str
    verdict: str
    reason: str
    inputs: Mapping[str, Any]
    next_eligible_at: datetime | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One provider call."""

    number: int
    chain: int
    """1 for the first delivery; each replay adds 1."""
    provider: str | None = None
    started_at: datetime
    duration_ms: float | None = None
    outcome: str
    error: str | None = None
    late_outcome: str | None = None
    late_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """Where a pending notification waits for a worker."""

    lane: str
    queued_at: datetime
    place: str
    ahead: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """All decisions about a notification in order of time, and every provider call."""

    notification_id: str
    status: str
    reason: str | None = None
    next_eligible_at: datetime | None = None
    queue: Queue | None = None
    steps: tuple[Step, ...]
    attempts: tuple[Attempt, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Segments:
    """How many SMS segments a text needs, and in which encoding."""

    encoding: str
    units: int
    segments: int
    per_segment: int
    not_gsm: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What a create would lead to: `would` is send, defer, suppress, expire, fail or wait."""

    would: str
    reason: str
    next_eligible_at: datetime | None = None
    subject: str | None = None
    content: str | None = None
    html: str | None = None
    sms: Segments | None = None
    provider: str | None = None
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recalled:
    """How many were cancelled, and how many matched but were sent or are being sent."""

    recalled: int
    too_late: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelFigures:
    """Deliveries and final failures of a channel; `success_rate` is in per cent."""

    sent: int
    failed: int
    avg_latency_ms: float
    success_rate: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Figures of every channel, also of those without messages."""

    channels: Mapping[str, ChannelFigures]


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusUpdate:
    """A notification changed its status. An update may arrive twice, with the same `id`."""

    id: str
    type: str
    notification_id: str
    status: str
    timestamp: datetime
    channel: str
    priority: str
    attempts: int
    chain: int
    reason: str | None = None
    recipient_id: str | None = None
    batch_id: str | None = None
    category: str | None = None
    provider: str | None = None
    provider_message_id: str | None = None
    test: bool = False
