"""The inbox: messages of a recipient in the order of their commits, and the unread count."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

import asyncpg

from notistream.db.pool import Queryable
from notistream.db.queries import load
from notistream.db.records import storable
from notistream.delivery.ports import Message

SQL = load("inbox")


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxMessage:
    """A stored message; `seq` counts within the inbox and is never shown."""

    id: UUID
    seq: int
    notification_id: UUID
    recipient_id: str
    title: str | None
    body: str
    payload: Mapping[str, Any]
    read_at: datetime | None
    created_at: datetime


def message_id(message: Message) -> UUID:
    """The same for the same provider key, so that a repeated message is stored once."""
    return uuid5(message.notification_id, message.idempotency_key)


async def keep(db: Queryable, messages: Sequence[Message]) -> int:
    """Store new messages, each at the end of its recipient's inbox; how many."""
    rows = await db.fetch(
        *SQL["keep"](
            ids=[message_id(m) for m in messages],
            tenants=[m.tenant_id for m in messages],
            recipients=[m.recipient for m in messages],
            notifications=[m.notification_id for m in messages],
            titles=[storable(m.subject) for m in messages],
            bodies=[storable(m.content) for m in messages],
            payloads=[m.payload for m in messages],
        ),
    )
    return len(rows)


async def page(
    db: Queryable,
    tenant_id: UUID,
    recipient_id: str,
    *,
    before: UUID | None,
    unread: bool,
    limit: int,
) -> list[InboxMessage]:
    """At most `limit`, newest first; none if there is no message `before`."""
    query = SQL["unread_page" if unread else "page"]
    rows = await db.fetch(
        *query(tenant_id=tenant_id, recipient_id=recipient_id, before=before, limit=limit)
    )
    return _messages(rows)


async def after(
    db: Queryable, tenant_id: UUID, recipient_id: str, *, seq: int, limit: int
) -> list[InboxMessage]:
    """At most `limit` messages after a place, oldest first."""
    return _messages(
        await db.fetch(
            *SQL["after"](tenant_id=tenant_id, recipient_id=recipient_id, seq=seq, limit=limit)
        )
    )


async def seq_of(db: Queryable, tenant_id: UUID, recipient_id: str, message_id: UUID) -> int | None:
    """The place of a message; None if the recipient has no such message."""
    row = await db.fetchrow(
        *SQL["seq_of"](tenant_id=tenant_id, recipient_id=recipient_id, id=message_id)
    )
    return row["seq"] if row else None


async def last_seq(db: Queryable, tenant_id: UUID, recipient_id: str) -> int:
    """The place of the newest message, 0 before the first."""
    row = await db.fetchrow(*SQL["last_seq"](tenant_id=tenant_id, recipient_id=recipient_id))
    assert row is not None
    seq: int = row["seq"]
    return seq


Owner = tuple[UUID, str]
"""A tenant and one of its recipients."""


async def last_seqs(db: Queryable, owners: Iterable[Owner]) -> Mapping[Owner, int]:
    """The same for many inboxes at once; those that never had a message are left out."""
    wanted = [{"tenant_id": tenant, "recipient_id": recipient} for tenant, recipient in owners]
    rows = await db.fetch(*SQL["last_seqs"](owners=wanted))
    return {(row["tenant_id"], row["recipient_id"]): row["last_seq"] for row in rows}


async def unread(db: Queryable, tenant_id: UUID, recipient_id: str) -> int:
    """How many are unread, from the inbox's own row."""
    row = await db.fetchrow(*SQL["unread"](tenant_id=tenant_id, recipient_id=recipient_id))
    assert row is not None
    count: int = row["unread"]
    return count


async def mark_read(db: Queryable, tenant_id: UUID, recipient_id: str, message_id: UUID) -> bool:
    """Mark one as read; False if the recipient has no such message."""
    row = await db.fetchrow(
        *SQL["mark_read"](tenant_id=tenant_id, recipient_id=recipient_id, id=message_id)
    )
    return bool(row and row["found"])


async def mark_all_read(db: Queryable, tenant_id: UUID, recipient_id: str) -> int:
    """Mark all present messages as read; how many were unread."""
    row = await db.fetchrow(*SQL["mark_all_read"](tenant_id=tenant_id, recipient_id=recipient_id))
    assert row is not None
    count: int = row["marked"]
    return count


async def erase(db: Queryable, tenant_id: UUID, recipient_id: str) -> int:
    """Delete all messages of a recipient; how many."""
    row = await db.fetchrow(*SQL["erase"](tenant_id=tenant_id, recipient_id=recipient_id))
    assert row is not None
    count: int = row["erased"]
    return count


def _messages(rows: Sequence[asyncpg.Record]) -> list[InboxMessage]:
    return [
        InboxMessage(
            id=row["id"],
            seq=row["seq"],
            notification_id=row["notification_id"],
            recipient_id=row["recipient_id"],
            title=row["title"],
            body=row["body"],
            payload=row["payload"],
            read_at=row["read_at"],
            created_at=row["created_at"],
        )
        for row in rows
    ]
