"""Accept notifications: check, render as a check, commit in groups, hand to the relay; and read them back."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from uuid_utils.compat import uuid7

from notistream import metrics
from notistream.db import batches, notifications
from notistream.db.group_commit import GroupCommit
from notistream.db.notifications import Filter
from notistream.db.pool import Database, Queryable
from notistream.db.records import StoredAttempt, StoredBatch, StoredNotification, StoredStep
from notistream.domain.draft import Draft, check
from notistream.domain.notification import CHANNEL_NAMES, NewNotification
from notistream.errors import Conflict, FieldError, InvalidRequest, NotCancellable, NotFound, NotiStreamError
from notistream.messages import OutboxEntry
from notistream.services.templates import Templates


class DuplicateKey(Conflict):
    """The idempotency key belongs to another notification."""

    code = "duplicate_idempotency_key"

    def __init__(self, existing: StoredNotification) -> None:
        self.existing = existing
        super().__init__(f"idempotency_key {existing.idempotency_key!r} belongs to notification {existing.id}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Who asks, and how the request is correlated; `request_key` is its Idempotency-Key header."""

    tenant_id: UUID
    correlation_id: str
    traceparent: str | None = None
    request_key: str | None = None


@dataclass(frozen=True, slots=True)
class BatchResult:
    """A stored batch and, in the order of the request, what became of each item."""

    batch: StoredBatch
    items: list[StoredNotification | NotiStreamError]


@dataclass(frozen=True, slots=True)
class Trace:
    """Everything known of the way of a notification."""

    notification: StoredNotification
    steps: list[StoredStep]
    attempts: list[StoredAttempt]


class Notifications:
    """Use cases around one tenant's notifications."""

    def __init__(
        self,
        *,
        database: Database,
        templates: Templates,
        publish: Callable[[Sequence[OutboxEntry]], None],
        limits: Mapping[str, int],
        window: timedelta,
    ) -> None:
        self._database = database
        self._templates = templates
        self._publish = publish
        self._limits = limits
        self._window = window
        self._group: GroupCommit[NewNotification, StoredNotification | DuplicateKey] = GroupCommit(
            self._commit, max_size=500, in_flight=2)

    async def create(self, draft: Draft, sender: Sender) -> StoredNotification:
        """Store and queue one notification.

        Raises:
            InvalidRequest: with a pointer to every wrong field.
            DuplicateKey: its body idempotency key is taken; carries the notification that has it.
            DatabaseUnavailable: nothing was answered as accepted.
        """
        new = await self._accepted(draft, sender, index=0)
        result = await self._group.submit(new)
        if isinstance(result, DuplicateKey):
            if _same_request(result.existing, new):
                return result.existing
            raise result
        return result

    async def create_batch(
        self, drafts: Sequence[Draft | InvalidRequest], sender: Sender, *, atomic: bool
    ) -> BatchResult:
        """Store the good items of a batch; with `atomic`, all or none.

        Raises:
            InvalidRequest: no item is good, or `atomic` and one is not.
            DuplicateKey: `atomic`, and a key is taken.
        """
        batch_id = uuid7()
        items: list[NewNotification | NotiStreamError] = []
        for index, draft in enumerate(drafts):
            items.append(await self._item(draft, sender, index=index, batch_id=batch_id))
        if atomic:
            _refuse_any(items)
        async with self._database.transaction() as db:
            results, entries = await self._store(db, [i for i in items if isinstance(i, NewNotification)])
            if atomic and (taken := next((r for r in results if isinstance(r, DuplicateKey)), None)):
                raise taken
            answered = _merged(items, results)
            total = sum(isinstance(a, StoredNotification) and a.batch_id == batch_id for a in answered)
            batch = await batches.create(
                db, batch_id, sender.tenant_id, total=total, rejected=len(answered) - total)
        self._publish(entries)
        return BatchResult(batch, answered)

    async def _item(
        self, draft: Draft | InvalidRequest, sender: Sender, *, index: int, batch_id: UUID
    ) -> NewNotification | NotiStreamError:
        if isinstance(draft, InvalidRequest):
            return draft
        try:
            return await self._accepted(draft, sender, index=index, batch_id=batch_id)
        except InvalidRequest as exc:
            return exc

    async def _accepted(
        self, draft: Draft, sender: Sender, *, index: int, batch_id: UUID | None = None
    ) -> NewNotification:
        now = datetime.now(UTC)
        errors = check(draft, now=now, limits=self._limits)
        if errors:
            raise InvalidRequest(errors)
        channel = CHANNEL_NAMES[draft.channel]
        template = await self._templates.chosen(sender.tenant_id, draft, limit=self._limits[channel])
        key = draft.idempotency_key
        if key is None and sender.request_key is not None:
            key = f"\x1f{sender.request_key}\x1f{index}"
        return NewNotification(
            id=uuid7(), tenant_id=sender.tenant_id, batch_id=batch_id, channel=channel, priority=draft.priority,
            recipient=draft.recipient, recipient_id=draft.recipient_id, content=draft.content,
            subject=draft.subject, template_id=template.id if template else None,
            template_name=template.name if template else None,
            template_version=template.version if template else None, template_variables=draft.variables,
            scheduled_at=draft.scheduled_at if draft.scheduled_at and draft.scheduled_at > now else None,
            expires_at=draft.expires_at, idempotency_key=key, category=draft.category or draft.type, type=draft.type,
            metadata=draft.metadata, on_unknown=draft.on_unknown, correlation_id=sender.correlation_id,
            traceparent=sender.traceparent,
        )

    async def _commit(self, new: Sequence[NewNotification]) -> Sequence[StoredNotification | DuplicateKey]:
        results, entries = await self._store(self._database, new)
        self._publish(entries)
        return results

    async def _store(
        self, db: Queryable, new: Sequence[NewNotification]
    ) -> tuple[list[StoredNotification | DuplicateKey], list[OutboxEntry]]:
        if not new:
            return [], []
        created = await notifications.create(db, new, window=self._window)
        taken = [(n.tenant_id, n.idempotency_key) for n in new if n.id not in created.ids and n.idempotency_key]
        holders = await notifications.find_by_keys(db, taken) if taken else {}
        results: list[StoredNotification | DuplicateKey] = []
        for n in new:
            if n.id in created.ids:
                metrics.ACCEPTED.labels(n.channel, n.priority.value).inc()
                results.append(_stored(n, created.at, scheduled=n.id in created.scheduled))
            else:
                results.append(DuplicateKey(holders[n.tenant_id, n.idempotency_key or ""]))
        return results, created.entries

    async def get(self, tenant_id: UUID, notification_id: UUID) -> StoredNotification:
        """Raises NotFound, also for another tenant's."""
        found = await notifications.get(self._database, tenant_id, notification_id)
        if found is None:
            raise NotFound(f"there is no notification {notification_id}")
        return found

    async def list_page(self, tenant_id: UUID, shown: Filter, *, limit: int) -> list[StoredNotification]:
        """At most `limit`, newest first."""
        return await notifications.list_page(self._database, tenant_id, shown, limit=limit)

    async def cancel(self, tenant_id: UUID, notification_id: UUID) -> StoredNotification:
        """Cancel what still waits.

        Raises:
            NotFound: no such notification.
            NotCancellable: it is being delivered, or has ended.
        """
        cancelled = await notifications.cancel(self._database, tenant_id, notification_id)
        if cancelled is None:
            found = await self.get(tenant_id, notification_id)
            raise NotCancellable(f"notification {notification_id} is {found.status}")
        return cancelled

    async def trace(self, tenant_id: UUID, notification_id: UUID) -> Trace:
        """Raises NotFound."""
        found = await self.get(tenant_id, notification_id)
        return Trace(
            found, await notifications.trace_steps(self._database, notification_id),
            await notifications.attempts(self._database, notification_id),
        )

    async def batch(self, tenant_id: UUID, batch_id: UUID) -> StoredBatch:
        """Raises NotFound."""
        found = await batches.get(self._database, tenant_id, batch_id)
        if found is None:
            raise NotFound(f"there is no batch {batch_id}")
        return found


def _same_request(existing: StoredNotification, new: NewNotification) -> bool:
    """A repeated request with the same Idempotency-Key header, whose first answer was lost."""
    return bool(new.idempotency_key and new.idempotency_key.startswith("\x1f")) and (
        existing.idempotency_key == new.idempotency_key)


def _refuse_any(items: Sequence[NewNotification | NotiStreamError]) -> None:
    errors = [
        FieldError(f"/notifications/{index}{e.pointer}", e.message)
        for index, item in enumerate(items) if isinstance(item, InvalidRequest) for e in item.errors
    ]
    if errors:
        raise InvalidRequest(errors)


def _merged(
    items: Sequence[NewNotification | NotiStreamError], results: Sequence[StoredNotification | DuplicateKey]
) -> list[StoredNotification | NotiStreamError]:
    stored = iter(results)
    answered: list[StoredNotification | NotiStreamError] = []
    for item in items:
        if not isinstance(item, NewNotification):
            answered.append(item)
            continue
        result = next(stored)
        repeated = isinstance(result, DuplicateKey) and _same_request(result.existing, item)
        answered.append(result.existing if isinstance(result, DuplicateKey) and repeated else result)
    return answered


def _stored(new: NewNotification, at: datetime, *, scheduled: bool) -> StoredNotification:
    """The row as it was just inserted."""
    return StoredNotification(
        id=new.id, tenant_id=new.tenant_id, batch_id=new.batch_id, channel=new.channel, priority=new.priority.value,
        status="scheduled" if scheduled else "pending", seq=1, chain=1, attempts=0, recipient=new.recipient,
        recipient_id=new.recipient_id, subject=new.subject, content=new.content, template_id=new.template_id,
        template_name=new.template_name, template_version=new.template_version,
        template_variables=new.template_variables, category=new.category, type=new.type, metadata=new.metadata,
        on_unknown=new.on_unknown.value, idempotency_key=new.idempotency_key, correlation_id=new.correlation_id,
        reason=None, error_message=None, provider=None, provider_message_id=None, scheduled_at=new.scheduled_at,
        expires_at=new.expires_at, due_at=new.scheduled_at if scheduled else None, sent_at=None, failed_at=None,
        created_at=at, updated_at=at,
    )
