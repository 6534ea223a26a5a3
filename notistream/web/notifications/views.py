"""JSON shapes of notifications, and what fills them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field
from typing_extensions import TypedDict

from notistream.db.records import StoredNotification
from notistream.domain.notification import MAX_RETRIES, TERMINAL, Priority


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


FINAL = frozenset(status.value for status in TERMINAL)

RETRIES: Mapping[str, int] = {priority.value: MAX_RETRIES[priority] for priority in Priority}


def notification(stored: StoredNotification) -> NotificationView:
    """Fill the view; a key made from an Idempotency-Key header is not shown."""
    key = stored.idempotency_key
    return {
        "id": stored.id,
        "tenant_id": stored.tenant_id,
        "batch_id": stored.batch_id,
        "channel": stored.channel,
        "recipient": stored.recipient,
        "recipient_address": stored.recipient,
        "recipient_id": stored.recipient_id,
        "content": stored.content,
        "subject": stored.subject,
        "template_id": stored.template_id or stored.template_name,
        "template_name": stored.template_name,
        "template_version": stored.template_version,
        "template_variables": stored.template_variables,
        "payload": stored.template_variables,
        "locale": stored.locale,
        "priority": stored.priority,
        "status": stored.status,
        "final": stored.status in FINAL,
        "reason": stored.reason,
        "next_eligible_at": stored.due_at,
        "attempts": stored.attempts,
        "retry_count": max(stored.attempts - 1, 0),
        "max_retries": RETRIES[stored.priority],
        "error_message": stored.error_message,
        "provider": stored.provider,
        "provider_message_id": stored.provider_message_id,
        "receipt": _receipt(stored),
        "type": stored.type,
        "category": stored.category,
        "metadata": stored.metadata,
        "on_unknown": stored.on_unknown,
        "test": stored.test,
        "idempotency_key": None if key is None or key.startswith("\x1f") else key,
        "correlation_id": stored.correlation_id,
        "scheduled_at": stored.scheduled_at,
        "expires_at": stored.expires_at,
        "sent_at": stored.sent_at,
        "failed_at": stored.failed_at,
        "created_at": stored.created_at,
        "updated_at": stored.updated_at,
    }


def _receipt(stored: StoredNotification) -> ReceiptView | None:
    """Return the receipt of the current chain; one of an earlier chain is ignored."""
    kept = stored.receipt
    if kept is None or kept["chain"] != stored.chain:
        return None
    return {
        "state": kept["state"],
        "at": kept["at"],
        "detail": kept["detail"],
        "provider": kept["provider"],
    }
