"""Inboxes: in-app messages are kept in groups, and read back by their recipient."""

from collections.abc import Sequence
from uuid import UUID

from notistream.db import inbox
from notistream.db.group_commit import GroupCommit, by_load
from notistream.db.inbox import InboxMessage
from notistream.db.pool import Database
from notistream.delivery.ports import Message
from notistream.errors import NotFound
from notistream.observability import metrics


class Inbox:
    """Use cases around the inboxes of all tenants; who reads is in the tenant's role."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._group: GroupCommit[Message, UUID] = GroupCommit(self._keep, pause=by_load)

    async def keep(self, message: Message) -> UUID:
        """Store a message, once however often it comes; its id.

        Raises:
            DatabaseUnavailable: perhaps it was stored; repeating it is safe.
        """
        return await self._group.submit(message)

    async def _keep(self, messages: Sequence[Message]) -> Sequence[UUID]:
        metrics.INBOX_STORED.inc(await inbox.keep(self._database, messages))
        return [inbox.message_id(message) for message in messages]

    async def page(
        self, tenant_id: UUID, recipient_id: str, *, before: UUID | None, unread: bool, limit: int
    ) -> list[InboxMessage]:
        """At most `limit`, newest first."""
        return await inbox.page(
            self._database.of(tenant_id),
            tenant_id,
            recipient_id,
            before=before,
            unread=unread,
            limit=limit,
        )

    async def after(
        self, tenant_id: UUID, recipient_id: str, *, seq: int, limit: int
    ) -> list[InboxMessage]:
        """At most `limit` behind a place, oldest first."""
        return await inbox.after(
            self._database.of(tenant_id), tenant_id, recipient_id, seq=seq, limit=limit
        )

    async def place(self, tenant_id: UUID, recipient_id: str, since: UUID | None) -> int:
        """The place of a message, or of the newest; raises NotFound."""
        db = self._database.of(tenant_id)
        if since is None:
            return await inbox.last_seq(db, tenant_id, recipient_id)
        seq = await inbox.seq_of(db, tenant_id, recipient_id, since)
        if seq is None:
            raise NotFound(f"there is no message {since} in this inbox")
        return seq

    async def unread(self, tenant_id: UUID, recipient_id: str) -> int:
        """How many are unread."""
        return await inbox.unread(self._database.of(tenant_id), tenant_id, recipient_id)

    async def mark_read(self, tenant_id: UUID, recipient_id: str, message_id: UUID) -> None:
        """Mark one as read; raises NotFound."""
        if not await inbox.mark_read(
            self._database.of(tenant_id), tenant_id, recipient_id, message_id
        ):
            raise NotFound(f"there is no message {message_id} in this inbox")

    async def mark_all_read(self, tenant_id: UUID, recipient_id: str) -> None:
        """Mark all as read that are there now."""
        await inbox.mark_all_read(self._database.of(tenant_id), tenant_id, recipient_id)
