"""Stored values as the JSON shapes of `views`."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from notistream.db.records import StoredBatch, StoredNotification, StoredStep, StoredTemplate
from notistream.db.stats import ChannelTotals
from notistream.db.trace import QueuePlace
from notistream.domain.notification import MAX_RETRIES, TERMINAL, Priority
from notistream.recording.trace import Call, Timeline
from notistream.web.notifications.views import (
    AttemptView,
    BatchView,
    Figures,
    NotificationView,
    QueueView,
    ReceiptView,
    StepView,
    TraceView,
)

FINAL = frozenset(status.value for status in TERMINAL)
RETRIES: Mapping[str, int] = {priority.value: MAX_RETRIES[priority] for priority in Priority}


def notification(stored: StoredNotification) -> NotificationView:
    """A key that only we made (from an Idempotency-Key header) is not shown."""
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
    """That of an earlier chain says nothing about this one."""
    kept = stored.receipt
    if kept is None or kept["chain"] != stored.chain:
        return None
    return {
        "state": kept["state"],
        "at": kept["at"],
        "detail": kept["detail"],
        "provider": kept["provider"],
    }


def batch(stored: StoredBatch) -> BatchView:
    """The four counts add up to the total, whatever the statuses are called."""
    count = stored.statuses.get
    delivered, failed = count("delivered", 0), count("failed", 0)
    suppressed, expired = count("suppressed", 0), count("expired", 0)
    cancelled = count("cancelled", 0) + suppressed + expired
    return {
        "id": stored.id,
        "tenant_id": stored.tenant_id,
        "total_count": stored.total_count,
        "pending_count": stored.total_count - delivered - failed - cancelled,
        "delivered_count": delivered,
        "failed_count": failed,
        "cancelled_count": cancelled,
        "suppressed_count": suppressed,
        "expired_count": expired,
        "rejected_count": stored.rejected_count,
        "created_at": stored.created_at,
    }


def figures(totals: Mapping[str, ChannelTotals]) -> Figures:
    return {
        "channels": {
            name: {
                "sent": t.sent,
                "failed": t.failed,
                "avg_latency_ms": t.avg_latency_ms,
                "success_rate": t.success_rate,
            }
            for name, t in totals.items()
        }
    }


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


def next_cursor(page: Sequence[StoredNotification | StoredTemplate], size: int) -> UUID | None:
    """Where the page after `size` of these begins; None where they are the last."""
    return page[size - 1].id if len(page) > size else None
