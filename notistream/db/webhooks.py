"""Webhook endpoints of a tenant."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg

from notistream.db.pool import Queryable
from notistream.db.queries import load

SQL = load("webhooks")
DELIVERIES = load("webhook_deliveries")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """An endpoint as its tenant wants it; no events: all."""

    url: str
    description: str | None
    events: Sequence[str]
    is_active: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEndpoint:
    """A row of `webhook_endpoints`."""

    id: UUID
    tenant_id: UUID
    url: str
    description: str | None
    events: list[str]
    is_active: bool
    secret: str
    old_secret_until: datetime | None
    failing_since: datetime | None
    disabled_at: datetime | None
    disabled_reason: str | None
    created_at: datetime
    updated_at: datetime


FIELDS = tuple(f.name for f in fields(StoredEndpoint))


def _stored(row: asyncpg.Record | None) -> StoredEndpoint | None:
    return StoredEndpoint(**{name: row[name] for name in FIELDS}) if row else None


async def create(
    db: Queryable, tenant_id: UUID, endpoint_id: UUID, wanted: Wanted, *, secret: str, most: int
) -> StoredEndpoint | None:
    """None if the tenant has `most` already. Call it in a transaction."""
    await db.fetch(*SQL["lock_tenant"](tenant_id=tenant_id))
    return _stored(
        await db.fetchrow(
            *SQL["create"](
                tenant_id=tenant_id,
                id=endpoint_id,
                url=wanted.url,
                description=wanted.description,
                events=list(wanted.events),
                is_active=wanted.is_active,
                secret=secret,
                most=most,
            ),
        )
    )


async def list_page(
    db: Queryable, tenant_id: UUID, *, before: UUID | None, limit: int
) -> list[StoredEndpoint]:
    """At most `limit`, newest first."""
    rows = await db.fetch(*SQL["list"](tenant_id=tenant_id, before=before, limit=limit))
    return [endpoint for row in rows if (endpoint := _stored(row))]


async def get(db: Queryable, tenant_id: UUID, endpoint_id: UUID) -> StoredEndpoint | None:
    return _stored(await db.fetchrow(*SQL["get"](tenant_id=tenant_id, id=endpoint_id)))


async def replace(
    db: Queryable, tenant_id: UUID, endpoint_id: UUID, wanted: Wanted
) -> StoredEndpoint | None:
    return _stored(
        await db.fetchrow(
            *SQL["replace"](
                tenant_id=tenant_id,
                id=endpoint_id,
                url=wanted.url,
                description=wanted.description,
                events=list(wanted.events),
                is_active=wanted.is_active,
            ),
        )
    )


async def switch(db: Queryable, tenant_id: UUID, endpoint_id: UUID, *, on: bool) -> bool:
    """Switch on or off; False if it is so already, or there is no such endpoint."""
    return (
        await db.fetchrow(*SQL["switch"](tenant_id=tenant_id, id=endpoint_id, is_active=on))
        is not None
    )


async def rotate(
    db: Queryable, tenant_id: UUID, endpoint_id: UUID, *, secret: str, overlap: timedelta
) -> StoredEndpoint | None:
    """Sign with a new secret, and for the overlap with the present one too."""
    return _stored(
        await db.fetchrow(
            *SQL["rotate"](tenant_id=tenant_id, id=endpoint_id, secret=secret, overlap=overlap)
        )
    )


async def delete(db: Queryable, tenant_id: UUID, endpoint_id: UUID) -> bool:
    """Delete it with its deliveries; False if there is no such endpoint."""
    return await db.fetchrow(*SQL["delete"](tenant_id=tenant_id, id=endpoint_id)) is not None


async def disable(
    db: Queryable, endpoint_id: UUID, reason: str, *, failing_since: datetime | None
) -> bool:
    """Switch off; False if it is off, or has succeeded since.

    Without `failing_since` its successes do not count.
    """
    return (
        await db.fetchrow(
            *SQL["disable"](id=endpoint_id, reason=reason, failing_since=failing_since)
        )
        is not None
    )


async def erase(db: Queryable, tenant_id: UUID, recipient_id: str) -> int:
    """Remove a recipient from past and waiting deliveries; how many."""
    return len(await db.fetch(*DELIVERIES["erase"](tenant_id=tenant_id, recipient_id=recipient_id)))
