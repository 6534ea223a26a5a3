"""Accept notifications: check, render as a check, commit in groups, hand to the relay."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from uuid_utils.compat import uuid7

from notistream.db import batches, notifications
from notistream.db.group_commit import GroupCommit
from notistream.db.notifications import Created
from notistream.db.pool import Database, Queryable
from notistream.db.records import StoredNotification
from notistream.delivery.unsubscribe import with_link
from notistream.domain.draft import Draft, check
from notistream.domain.notification import CHANNEL_NAMES, NewNotification, Wanted, shared
from notistream.errors import (
    Conflict,
    InvalidRequest,
    NotCancellable,
    NotFound,
    NotiStreamError,
    Unavailable,
)
from notistream.kafka.outbox import OutboxEntry
from notistream.observability import metrics, tracing
from notistream.recording.trace import Timeline, timeline_of
from notistream.sending.acceptance import (
    BatchResult,
    Caller,
    DuplicateKey,
    Repeated,
    merged,
    refuse_any,
    same_request,
    stored_row,
)
from notistream.sending.template_choice import TemplateChoice


class Notifications:
    """Use cases around one tenant's notifications."""

    def __init__(
        self,
        *,
        database: Database,
        templates: TemplateChoice,
        publish: Callable[[Sequence[OutboxEntry]], None],
        limits: Mapping[str, int],
        window: timedelta,
    ) -> None:
        self._database = database
        self._templates = templates
        self._publish = publish
        self._limits = limits
        self._window = window
        self._group: GroupCommit[NewNotification, StoredNotification | Conflict | Unavailable] = (
            GroupCommit(self._commit, max_size=500, in_flight=2)
        )

    async def create(self, draft: Draft, caller: Caller) -> StoredNotification:
        """Store and queue one notification.

        Raises:
            InvalidRequest: with a pointer to every wrong field.
            DuplicateKey: its body idempotency key is taken; carries the notification that has it.
            DatabaseUnavailable: nothing was answered as accepted.
        """
        new = await self.checked(draft, caller)
        with tracing.within("store notification", attributes=tracing.STATEMENT):
            result = await self._group.submit(new)
        if isinstance(result, DuplicateKey) and same_request(result.existing, new):
            return result.existing
        if isinstance(result, NotiStreamError):
            raise result
        return result

    async def create_batch(
        self, drafts: Sequence[Draft | InvalidRequest], caller: Caller, *, atomic: bool
    ) -> BatchResult:
        """Store the good items of a batch; with `atomic`, all or none.

        Raises:
            InvalidRequest: no item is good, or `atomic` and one is not.
            DuplicateKey: `atomic`, and a key is taken.
        """
        batch_id = uuid7()
        items: list[NewNotification | NotiStreamError] = []
        for index, draft in enumerate(drafts):
            items.append(await self._item(draft, caller, index=index, batch_id=batch_id))
        if atomic:
            refuse_any(items)
        async with self._database.of(caller.tenant_id).transaction() as db:
            created, results = await self._store(
                db, [i for i in items if isinstance(i, NewNotification)]
            )
            answered = merged(items, results)
            before = next((r.existing.batch_id for r in answered if isinstance(r, Repeated)), None)
            if before is not None:
                return await self._answered_before(db, before, caller, answered)
            if atomic and (
                refused := next((a for a in answered if isinstance(a, NotiStreamError)), None)
            ):
                raise refused
            total = len(created.ids)
            batch = await batches.create(
                db, batch_id, caller.tenant_id, total=total, rejected=len(answered) - total
            )
        self._publish(created.entries)
        return BatchResult(batch, answered)

    async def _answered_before(
        self,
        db: Queryable,
        batch_id: UUID,
        caller: Caller,
        answered: Sequence[StoredNotification | NotiStreamError],
    ) -> BatchResult:
        """The batch that this request made when it came first, and its answer was lost."""
        batch = await batches.get(db, caller.tenant_id, batch_id)
        assert batch is not None, "a batch is stored with its notifications"
        return BatchResult(
            batch,
            [
                a.existing if isinstance(a, DuplicateKey) and a.existing.batch_id == batch_id else a
                for a in answered
            ],
        )

    async def _item(
        self, draft: Draft | InvalidRequest, caller: Caller, *, index: int, batch_id: UUID
    ) -> NewNotification | NotiStreamError:
        if isinstance(draft, InvalidRequest):
            return draft
        try:
            return await self.checked(draft, caller, index=index, batch_id=batch_id)
        except InvalidRequest as exc:
            return exc

    async def checked(
        self, draft: Draft, caller: Caller, *, index: int = 0, batch_id: UUID | None = None
    ) -> NewNotification:
        """What a draft would be stored as, after every check; raises InvalidRequest."""
        now = datetime.now(UTC)
        errors = check(draft, now=now, limits=self._limits)
        if errors:
            raise InvalidRequest(errors)
        channel = CHANNEL_NAMES[draft.channel]
        template = await self._templates.chosen(
            caller.tenant_id, with_link(draft, channel), limit=self._limits[channel]
        )
        key = draft.idempotency_key
        if key is None and caller.request_key is not None:
            key = f"\x1f{caller.request_key}\x1f{index}"
        asked = shared(draft, Wanted)
        asked["channel"] = channel
        asked["category"] = draft.category or draft.type
        asked["idempotency_key"] = key
        return NewNotification(
            **asked,
            id=uuid7(),
            tenant_id=caller.tenant_id,
            batch_id=batch_id,
            template_id=template.id if template else None,
            template_name=template.name if template else None,
            template_version=template.version if template else None,
            correlation_id=caller.correlation_id,
            traceparent=caller.traceparent,
            test=caller.test,
        )

    async def _commit(
        self, new: Sequence[NewNotification]
    ) -> Sequence[StoredNotification | Conflict | Unavailable]:
        created = await notifications.create(self._database, new, window=self._window)
        self._publish(created.entries)  # from here on nothing may fail those that are stored
        try:
            return await self._results(self._database, new, created)
        except Unavailable as exc:
            return [stored_row(n, created) if n.id in created.ids else exc for n in new]

    async def _store(
        self, db: Queryable, new: Sequence[NewNotification]
    ) -> tuple[Created, list[StoredNotification | Conflict | Unavailable]]:
        created = await notifications.create(db, new, window=self._window)
        return created, await self._results(db, new, created)

    async def _results(
        self, db: Queryable, new: Sequence[NewNotification], created: Created
    ) -> list[StoredNotification | Conflict | Unavailable]:
        taken = [
            (n.tenant_id, n.idempotency_key)
            for n in new
            if n.id not in created.ids and n.idempotency_key
        ]
        holders = await notifications.find_by_keys(db, taken) if taken else {}
        results: list[StoredNotification | Conflict | Unavailable] = []
        for n in new:
            holder = holders.get((n.tenant_id, n.idempotency_key or ""))
            if n.id in created.ids:
                metrics.ACCEPTED.labels(n.channel, n.priority.value).inc()
                results.append(stored_row(n, created))
            elif holder is not None:
                results.append(DuplicateKey(holder))
            else:
                results.append(
                    Unavailable(
                        "the idempotency_key was released at this moment; repeat the request"
                    )
                )
        return results

    async def get(self, tenant_id: UUID, notification_id: UUID) -> StoredNotification:
        """Raises NotFound, also for another tenant's."""
        found = await notifications.get(self._database.of(tenant_id), tenant_id, notification_id)
        if found is None:
            raise NotFound(f"there is no notification {notification_id}")
        return found

    async def cancel(self, tenant_id: UUID, notification_id: UUID) -> StoredNotification:
        """Cancel what still waits.

        Raises:
            NotFound: no such notification.
            NotCancellable: it is being delivered, or has ended.
        """
        cancelled = await notifications.cancel(
            self._database.of(tenant_id), tenant_id, notification_id
        )
        if cancelled is None:
            found = await self.get(tenant_id, notification_id)
            raise NotCancellable(f"notification {notification_id} is {found.status}")
        stored, entries = cancelled
        self._publish(entries)
        return stored

    async def trace(self, tenant_id: UUID, notification_id: UUID) -> Timeline:
        """Raises NotFound."""
        return await timeline_of(
            self._database.of(tenant_id), await self.get(tenant_id, notification_id)
        )
