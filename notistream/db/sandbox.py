"""What the sandbox was given: kept for a week, the newest of each tenant."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
from uuid_utils.compat import uuid7

from notistream.db.pool import Queryable
from notistream.db.queries import load
from notistream.delivery.ports import Message

SQL = load("sandbox")
KEPT_PER_TENANT = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxMessage:
    """A message as its recipient would have got it; `outcome` is what the sandbox answered."""

    id: UUID
    notification_id: UUID
    channel: str
    recipient: str
    recipient_id: str | None
    subject: str | None
    content: str
    html: str | None
    headers: Mapping[str, str]
    payload: Mapping[str, Any]
    outcome: str
    tries: int
    created_at: datetime


FIELDS = tuple(field.name for field in fields(SandboxMessage))


def _stored(row: asyncpg.Record) -> SandboxMessage:
    return SandboxMessage(**{name: row[name] for name in FIELDS})


async def keep(db: Queryable, message: Message, outcome: str) -> None:
    """Keep a message; the same key is kept once, and its tries are counted."""
    await db.fetch(
        *SQL["keep"](
            id=uuid7(),
            tenant_id=message.tenant_id,
            notification_id=message.notification_id,
            key=message.idempotency_key,
            channel=message.channel,
            recipient=message.recipient,
            recipient_id=message.recipient_id,
            subject=message.subject,
            content=message.content,
            html=message.html,
            headers=dict(message.headers),
            payload=dict(message.payload),
            outcome=outcome,
        ),
    )


async def list_page(
    db: Queryable,
    tenant_id: UUID,
    *,
    before: UUID | None,
    recipient: str | None,
    channel: str | None,
    limit: int,
) -> list[SandboxMessage]:
    """At most `limit`, newest first."""
    rows = await db.fetch(
        *SQL["list"](
            tenant_id=tenant_id, before=before, recipient=recipient, channel=channel, limit=limit
        )
    )
    return [_stored(row) for row in rows]


async def get(db: Queryable, tenant_id: UUID, message_id: UUID) -> SandboxMessage | None:
    row = await db.fetchrow(*SQL["get"](tenant_id=tenant_id, id=message_id))
    return _stored(row) if row else None


async def forget(db: Queryable, *, kept: int = KEPT_PER_TENANT) -> int:
    """Delete what is old, or more than `kept` of a tenant; how many."""
    row = await db.fetchrow(*SQL["forget"](kept=kept))
    return int(row["count"]) if row else 0
