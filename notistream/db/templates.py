"""Templates of a tenant and their versions."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any
from uuid import UUID

import asyncpg

from notistream.db.pool import Queryable
from notistream.db.queries import load
from notistream.db.records import StoredTemplate

SQL = load("templates")
FIELDS = tuple(f.name for f in fields(StoredTemplate))


def _stored(row: asyncpg.Record | None) -> StoredTemplate | None:
    return StoredTemplate(**{name: row[name] for name in FIELDS}) if row else None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTemplate:
    """A template to store."""

    id: UUID
    tenant_id: UUID
    name: str
    channel: str
    subject: str | None
    body: str
    metadata: Mapping[str, Any]
    is_active: bool


async def create(db: Queryable, new: NewTemplate) -> StoredTemplate | None:
    """The stored template; None where the tenant has one of this name and channel."""
    return _stored(await db.fetchrow(
        SQL["create"], new.id, new.tenant_id, new.name, new.channel, new.subject, new.body, new.metadata,
        new.is_active,
    ))


async def get(db: Queryable, tenant_id: UUID, template_id: UUID) -> StoredTemplate | None:
    return _stored(await db.fetchrow(SQL["get"], tenant_id, template_id))


async def get_by_name(db: Queryable, tenant_id: UUID, channel: str, name: str) -> StoredTemplate | None:
    return _stored(await db.fetchrow(SQL["get_by_name"], tenant_id, channel, name))


async def list_page(
    db: Queryable, tenant_id: UUID, *, before: UUID | None, channel: str | None, name: str | None, limit: int
) -> list[StoredTemplate]:
    """At most `limit`, newest first."""
    rows = await db.fetch(SQL["list"], tenant_id, before, channel, name, limit)
    return [StoredTemplate(**{name: row[name] for name in FIELDS}) for row in rows]


async def version(db: Queryable, template_id: UUID, number: int) -> tuple[str | None, str] | None:
    """Subject and body of one version."""
    row = await db.fetchrow(SQL["version"], template_id, number)
    return (row["subject"], row["body"]) if row else None
