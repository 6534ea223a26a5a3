"""Stored values as the JSON shapes of `views`."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from notistream.db.records import StoredAttempt, StoredBatch, StoredNotification, StoredStep, StoredTemplate
from notistream.db.stats import ChannelTotals
from notistream.domain.notification import MAX_RETRIES, TERMINAL, Priority
from notistream.domain.outcome import AttemptOutcome
from notistream.services.notifications import Trace
from notistream.web.views import (
    AttemptView,
    BatchView,
    Figures,
    NotificationView,
    StepView,
    TemplateView,
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
        "type": stored.type,
        "category": stored.category,
        "metadata": stored.metadata,
        "on_unknown": stored.on_unknown,
        "idempotency_key": None if key is None or key.startswith("\x1f") else key,
        "correlation_id": stored.correlation_id,
        "scheduled_at": stored.scheduled_at,
        "expires_at": stored.expires_at,
        "sent_at": stored.sent_at,
        "failed_at": stored.failed_at,
        "created_at": stored.created_at,
        "updated_at": stored.updated_at,
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


def template(stored: StoredTemplate) -> TemplateView:
    return {
        "id": stored.id,
        "tenant_id": stored.tenant_id,
        "name": stored.name,
        "channel": stored.channel,
        "version": stored.version,
        "subject": stored.subject,
        "body": stored.body,
        "metadata": stored.metadata,
        "is_active": stored.is_active,
        "created_at": stored.created_at,
        "updated_at": stored.updated_at,
    }


def figures(totals: Mapping[str, ChannelTotals]) -> Figures:
    return {"channels": {
        name: {
            "sent": t.sent, "failed": t.failed, "avg_latency_ms": t.avg_latency_ms, "success_rate": t.success_rate,
        }
        for name, t in totals.items()
    }}


def trace(found: Trace) -> TraceView:
    """Decisions of all sources in one order of time; provider calls without those that a gate stopped."""
    stored = found.notification
    steps = sorted(_steps(found), key=lambda step: step["at"])
    if stored.due_at and not steps[-1]["next_eligible_at"]:
        steps[-1]["next_eligible_at"] = stored.due_at
    return {
        "notification_id": stored.id,
        "status": stored.status,
        "reason": stored.reason,
        "next_eligible_at": stored.due_at,
        "steps": steps,
        "attempts": [_attempt(a) for a in found.attempts if a.outcome != AttemptOutcome.NOT_CALLED],
    }


def _steps(found: Trace) -> Iterator[StepView]:
    stored = found.notification
    yield {
        "at": stored.created_at, "gate": "accept", "verdict": "accepted", "next_eligible_at": stored.scheduled_at,
        "reason": "stored, to be sent later" if stored.scheduled_at else "stored and queued",
        "inputs": {"channel": stored.channel, "priority": stored.priority},
    }
    yield from map(_step, found.steps)
    for attempt in found.attempts:
        yield from (_attempt_step(attempt, step) for step in attempt.steps)


def _step(step: StoredStep) -> StepView:
    return {
        "at": step.at, "gate": step.gate, "verdict": step.verdict, "reason": step.reason, "inputs": step.inputs,
        "next_eligible_at": step.next_eligible_at,
    }


def _attempt_step(attempt: StoredAttempt, step: Mapping[str, Any]) -> StepView:
    """Gates of an attempt ran when it began; moments inside JSON are text."""
    at, due = step.get("at"), step.get("next_eligible_at")
    return {
        "at": datetime.fromisoformat(at) if at else attempt.started_at,
        "gate": step["gate"],
        "verdict": step["verdict"],
        "reason": step["reason"],
        "inputs": step.get("inputs", {}),
        "next_eligible_at": datetime.fromisoformat(due) if due else None,
    }


def _attempt(attempt: StoredAttempt) -> AttemptView:
    return {
        "number": attempt.number,
        "chain": attempt.chain,
        "provider": attempt.provider,
        "started_at": attempt.started_at,
        "duration_ms": attempt.duration_ms,
        "outcome": attempt.outcome,
        "error": attempt.error,
        "late_outcome": attempt.late_outcome,
    }


def next_cursor(page: Sequence[StoredNotification | StoredTemplate], size: int) -> UUID | None:
    """Where the page after `size` of these begins; None where they are the last."""
    return page[size - 1].id if len(page) > size else None
