"""Recipients of a tenant: contact addresses, push tokens, zone and language."""

from dataclasses import dataclass, fields
from datetime import datetime
from uuid import UUID

import asyncpg

from notistream.db.pool import Queryable
from notistream.db.queries import load
from notistream.domain.recipient import Contact

SQL = load("recipients")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRecipient:
    """A recipient; push tokens oldest first."""

    id: str
    email: str | None
    phone: str | None
    push_tokens: list[str]
    timezone: str
    locale: str | None
    created_at: datetime
    updated_at: datetime


FIELDS = tuple(f.name for f in fields(StoredRecipient))


def _stored(row: asyncpg.Record) -> StoredRecipient:
    return StoredRecipient(**{name: row[name] for name in FIELDS})


async def put(db: Queryable, tenant_id: UUID, recipient_id: str, contact: Contact) -> bool:
    """Create or replace a recipient, device tokens left aside; whether it is new."""
    row = await db.fetchrow(
        *SQL["put"](
            tenant_id=tenant_id,
            id=recipient_id,
            email=contact.email,
            phone=contact.phone,
            timezone=contact.timezone,
            locale=contact.locale,
        ),
    )
    assert row is not None
    return bool(row["created"])


async def get(db: Queryable, tenant_id: UUID, recipient_id: str) -> StoredRecipient | None:
    row = await db.fetchrow(*SQL["get"](tenant_id=tenant_id, id=recipient_id))
    return _stored(row) if row else None


async def list_page(
    db: Queryable, tenant_id: UUID, *, after: str | None, limit: int
) -> list[StoredRecipient]:
    """At most `limit`, by id."""
    return [
        _stored(row)
        for row in await db.fetch(*SQL["list"](tenant_id=tenant_id, after=after, limit=limit))
    ]


async def list_from(
    db: Queryable, tenant_id: UUID, *, first: str | None, limit: int
) -> list[StoredRecipient]:
    """At most `limit`, by id, from this one on."""
    return [
        _stored(row)
        for row in await db.fetch(
            *SQL["list_from"](tenant_id=tenant_id, first=first or "", limit=limit)
        )
    ]


async def put_timezone(db: Queryable, tenant_id: UUID, recipient_id: str, timezone: str) -> None:
    """Set the zone of a recipient, who is created if there is none."""
    await db.fetch(*SQL["put_timezone"](tenant_id=tenant_id, id=recipient_id, timezone=timezone))
