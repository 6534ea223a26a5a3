"""Acceptance as values: who asks, what became of each item, what a repeated request is."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from notistream.db.notifications import Created
from notistream.db.records import StoredBatch, StoredNotification
from notistream.domain.notification import NewNotification, Notification, shared
from notistream.errors import Conflict, FieldError, InvalidRequest, NotiStreamError, Unavailable


class DuplicateKey(Conflict):
    """The idempotency key belongs to another notification."""

    code = "duplicate_idempotency_key"

    def __init__(self, existing: StoredNotification) -> None:
        self.existing = existing
        super().__init__(
            f"idempotency_key {existing.idempotency_key!r} belongs to notification {existing.id}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks, and how the request is correlated; `request_key` is its Idempotency-Key header."""

    tenant_id: UUID
    correlation_id: str
    traceparent: str | None = None
    request_key: str | None = None
    test: bool = False
    """With a test key: what is sent never reaches a real provider."""


@dataclass(frozen=True, slots=True)
class BatchResult:
    """A stored batch and, in the order of the request, what became of each item."""

    batch: StoredBatch
    items: list[StoredNotification | NotiStreamError]


def same_request(existing: StoredNotification, new: NewNotification) -> bool:
    """A repeated request with the same Idempotency-Key header, whose first answer was lost."""
    return bool(new.idempotency_key and new.idempotency_key.startswith("\x1f")) and (
        existing.idempotency_key == new.idempotency_key
    )


def refuse_any(items: Sequence[NewNotification | NotiStreamError]) -> None:
    """Raise InvalidRequest that names every bad item."""
    errors = [
        FieldError(f"/notifications/{index}{e.pointer}", e.message)
        for index, item in enumerate(items)
        if isinstance(item, InvalidRequest)
        for e in item.errors
    ]
    if errors:
        raise InvalidRequest(errors)


class Repeated(DuplicateKey):
    """The notification that this very request stored before."""


def merged(
    items: Sequence[NewNotification | NotiStreamError],
    results: Sequence[StoredNotification | Conflict | Unavailable],
) -> list[StoredNotification | NotiStreamError]:
    """The results of those that were stored, in the place that each item has in the request."""
    stored = iter(results)
    answered: list[StoredNotification | NotiStreamError] = []
    for item in items:
        if not isinstance(item, NewNotification):
            answered.append(item)
            continue
        result = next(stored)
        repeated = isinstance(result, DuplicateKey) and same_request(result.existing, item)
        answered.append(
            Repeated(result.existing) if isinstance(result, DuplicateKey) and repeated else result
        )
    return answered


def stored_row(new: NewNotification, created: Created) -> StoredNotification:
    """The row as it was just inserted."""
    scheduled, at = new.id in created.scheduled, created.at
    return StoredNotification(
        **shared(new, Notification),
        status="scheduled" if scheduled else "pending",
        seq=1,
        chain=1,
        attempts=0,
        reason=None,
        error_message=None,
        provider=None,
        provider_message_id=None,
        due_at=new.scheduled_at if scheduled else None,
        sent_at=None,
        failed_at=None,
        created_at=at,
        updated_at=at,
    )
