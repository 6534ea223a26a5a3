"""Changes of accepted notifications: recall, cancel, reschedule, resolve, resend.

The transaction of each also writes the trace and the audit log. Operators may make some of them;
the audit log has their names.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from uuid import UUID, uuid5

from uuid_utils.compat import uuid7

from notistream.access.actors import shown_actor, transaction_as
from notistream.db import audit_log, batches, deliveries, operations, replay
from notistream.db.operations import Candidates, Selection
from notistream.db.pool import Database, Queryable
from notistream.db.records import StoredBatch, StoredNotification
from notistream.db.replay import ReplayItem
from notistream.domain.notification import TERMINAL
from notistream.errors import (
    FieldError,
    InvalidRequest,
    NotCancellable,
    NotFound,
    NotReschedulable,
    NotResendable,
    NotResolvable,
)
from notistream.kafka.outbox import OutboxEntry
from notistream.observability import metrics
from notistream.sending.acceptance import Caller

LOOKED_AT_AT_ONCE = 20_000
CANCELLED_AT_ONCE = 1000
RESENDS = UUID("0d2c8a4e-7a86-5d0e-8a5f-3b1c5f7e9d21")
"""Namespace of the replay ids that are made from an Idempotency-Key."""


class Resolution(StrEnum):
    """What became of a held `unknown`, or that it is to be sent again."""

    DELIVERED = "delivered"
    FAILED = "failed"
    RESEND = "resend"


@dataclass(frozen=True, slots=True)
class Recalled:
    """How many were cancelled; `too_late` were sent, or are being sent."""

    recalled: int
    too_late: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """When a waiting notification is due, None: now; `keeps_expiry` leaves its expiry alone."""

    at: datetime | None
    expires_at: datetime | None = None
    keeps_expiry: bool = True


class NotificationChanges:
    """Use cases on one tenant's accepted notifications."""

    def __init__(
        self, database: Database, *, publish: Callable[[Sequence[OutboxEntry]], None]
    ) -> None:
        self._database = database
        self._publish = publish

    async def recall(self, tenant_id: UUID, selection: Selection) -> Recalled:
        """Cancel all that match and still wait, newest first, in bounded steps.

        What is accepted in the meantime is not cancelled.
        """
        return await self._cancel_all(tenant_id, selection, "recall", "recalled by the sender")

    async def cancel_batch(self, tenant_id: UUID, batch_id: UUID) -> StoredBatch:
        """Cancel what still waits of a batch; raises NotFound."""
        if await batches.get(self._database.of(tenant_id), tenant_id, batch_id) is None:
            raise NotFound(f"there is no batch {batch_id}")
        await self._cancel_all(
            tenant_id, Selection(batch_id=batch_id), "cancel", "cancelled with its batch"
        )
        batch = await batches.get(self._database.of(tenant_id), tenant_id, batch_id)
        assert batch is not None, "batches are never deleted while their notifications are there"
        return batch

    async def _cancel_all(
        self, tenant_id: UUID, selection: Selection, gate: str, reason: str
    ) -> Recalled:
        recalled = too_late = 0
        page = Candidates((), 0, None)
        while True:
            page = await operations.candidates(
                self._database.of(tenant_id),
                tenant_id,
                selection,
                before=page.before,
                limit=LOOKED_AT_AT_ONCE,
            )
            cancelled = await self._cancel(tenant_id, page.waiting, selection, gate, reason)
            recalled += cancelled
            too_late += page.too_late + len(page.waiting) - cancelled
            if page.before is None:
                return Recalled(recalled, too_late)

    async def _cancel(
        self, tenant_id: UUID, ids: Sequence[UUID], selection: Selection, gate: str, reason: str
    ) -> int:
        total = 0
        for at in range(0, len(ids), CANCELLED_AT_ONCE):
            async with self._database.of(tenant_id).transaction() as db:
                count, entries = await operations.cancel(
                    db, tenant_id, ids[at : at + CANCELLED_AT_ONCE], gate=gate, reason=reason
                )
                if count:
                    await audit_log.record(
                        db,
                        str(tenant_id),
                        f"notifications.{gate}",
                        _words(selection),
                        {"count": count},
                    )
            self._publish(entries)
            total += count
        return total

    async def reschedule(
        self, tenant_id: UUID, notification_id: UUID, wanted: Schedule
    ) -> StoredNotification:
        """Let what waits become due at another moment.

        Raises:
            NotFound: no such notification.
            NotReschedulable: it is being delivered, or has ended.
            InvalidRequest: it would expire before it is due.
        """
        async with self._database.of(tenant_id).transaction() as db:
            found = await _locked(db, tenant_id, notification_id)
            expires_at = found.expires_at if wanted.keeps_expiry else wanted.expires_at
            _check_times(wanted, expires_at, now=datetime.now(UTC))
            moved = await operations.reschedule(
                db, tenant_id, notification_id, scheduled_at=wanted.at, expires_at=expires_at
            )
            if moved is None:
                raise NotReschedulable(f"notification {notification_id} is {found.status}")
            await audit_log.record(
                db,
                str(tenant_id),
                "notification.reschedule",
                str(notification_id),
                {"scheduled_at": wanted.at, "before": found.due_at},
            )
        return moved

    async def cancel(self, tenant_id: UUID, notification_id: UUID, *, actor: str) -> None:
        """Let an operator cancel what still waits.

        Raises:
            NotFound: no such notification.
            NotCancellable: it is being delivered, or has ended.
        """
        async with self._database.transaction() as db:
            found = await _locked(db, tenant_id, notification_id)
            count, entries = await operations.cancel(
                db, tenant_id, [notification_id], gate="cancel", reason="cancelled by an operator"
            )
            if not count:
                raise NotCancellable(f"notification {notification_id} is {found.status}")
            await audit_log.record(
                db, actor, "notification.cancel", str(notification_id), {"before": found.status}
            )
        self._publish(entries)

    async def resolve(
        self,
        tenant_id: UUID,
        notification_id: UUID,
        outcome: Resolution,
        *,
        actor: str | None = None,
    ) -> StoredNotification:
        """End a held `unknown`, or queue it again.

        Raises:
            NotFound: no such notification.
            NotResolvable: its outcome is known, also by a worker that came late.
        """
        async with transaction_as(self._database, tenant_id, actor) as db:
            found = await _locked(db, tenant_id, notification_id)
            if found.status != "unknown":
                raise NotResolvable(f"notification {notification_id} is {found.status}")
            entries = await _resolve(db, found, outcome, f"resolved by {shown_actor(actor)}")
            await audit_log.record(
                db,
                actor or str(tenant_id),
                "notification.resolve",
                str(notification_id),
                {"outcome": outcome.value},
            )
            stored = await _locked(db, tenant_id, notification_id)
        self._publish(entries)
        if outcome is Resolution.RESEND:
            metrics.DUPLICATES.inc()
        return stored

    async def resend(
        self, caller: Caller, notification_id: UUID, *, actor: str | None = None
    ) -> StoredNotification:
        """Send what has ended once more, as a new chain of attempts; once per Idempotency-Key.

        Raises:
            NotFound: no such notification.
            NotResendable: it has not ended.
        """
        tenant_id, key = caller.tenant_id, caller.request_key
        replay_id = uuid5(RESENDS, f"{tenant_id} {notification_id} {key}") if key else uuid7()
        async with transaction_as(self._database, tenant_id, actor) as db:
            found = await _locked(db, tenant_id, notification_id)
            await operations.forget_expiry(db, tenant_id, notification_id)
            queued = await replay.replay(
                db,
                replay_id=replay_id,
                items=[ReplayItem(notification_id)],
                statuses=sorted(TERMINAL),
                reason=f"sent again by {shown_actor(actor)}",
            )
            if queued.ids:
                await audit_log.record(
                    db,
                    actor or str(tenant_id),
                    "notification.resend",
                    str(notification_id),
                    {"replay_id": str(replay_id), "before": found.status},
                )
            elif not await operations.was_replayed(db, replay_id, notification_id):
                raise NotResendable(f"notification {notification_id} is {found.status}")
            stored = await _locked(db, tenant_id, notification_id)
        self._publish(queued.entries)
        return stored


async def _locked(db: Queryable, tenant_id: UUID, notification_id: UUID) -> StoredNotification:
    found = await operations.lock(db, tenant_id, notification_id)
    if found is None:
        raise NotFound(f"there is no notification {notification_id}")
    return found


async def _resolve(
    db: Queryable, found: StoredNotification, outcome: Resolution, reason: str
) -> list[OutboxEntry]:
    at = (db, found.tenant_id, found.id)
    match outcome:
        case Resolution.DELIVERED:
            return await operations.resolve_delivered(*at, f"{reason}: it was delivered")
        case Resolution.FAILED:
            return await operations.resolve_failed(*at, f"{reason}: it was not delivered")
        case Resolution.RESEND:
            turn = await operations.resolve_resend(*at, f"{reason}: to be sent again")
            return (await deliveries.queue(db, [turn])).entries if turn else []


def _check_times(wanted: Schedule, expires_at: datetime | None, *, now: datetime) -> None:
    """Raise InvalidRequest where it would expire before it is due."""
    if expires_at is None or expires_at > max(wanted.at or now, now):
        return
    if wanted.keeps_expiry:
        raise InvalidRequest(
            [
                FieldError(
                    "/scheduled_at",
                    f"must be earlier than its `expires_at`, {expires_at.isoformat()}",
                )
            ]
        )
    raise InvalidRequest(
        [FieldError("/expires_at", "must lie in the future and be later than `scheduled_at`")]
    )


def _words(selection: Selection) -> str:
    """What was selected, for the audit log: `template=welcome channel=sms`."""
    chosen = {
        "template": selection.template,
        "batch": selection.batch_id,
        "category": selection.category,
        "channel": selection.channel,
    }
    return " ".join(f"{name}={value}" for name, value in chosen.items() if value is not None)
