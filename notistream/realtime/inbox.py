"""Inboxes: stores in-app messages, many in one statement."""

from collections.abc import Sequence
from uuid import UUID

from notistream.db import inbox
from notistream.db.group_commit import GroupCommit, by_load
from notistream.db.pool import Database
from notistream.delivery.ports import Message
from notistream.observability import metrics


class Inbox:
    """Stores the messages of all tenants in groups."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._group: GroupCommit[Message, UUID] = GroupCommit(self._keep, pause=by_load)

    async def keep(self, message: Message) -> UUID:
        """Store a message and return its id; a repeated message is stored once.

        Raises:
            DatabaseUnavailable: the message may have been stored; repeating the call is safe.
        """
        return await self._group.submit(message)

    async def _keep(self, messages: Sequence[Message]) -> Sequence[UUID]:
        metrics.INBOX_STORED.inc(await inbox.keep(self._database, messages))
        return [inbox.message_id(message) for message in messages]
