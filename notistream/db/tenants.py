"""Tenants and their API keys, of which only hashes are stored, and when each was last used."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg
from uuid_utils.compat import uuid7

from notistream.db.pool import Queryable
from notistream.db.queries import load, named

SQL = load("tenants")


@dataclass(frozen=True, slots=True)
class StoredTenant:
    """An isolated customer."""

    id: UUID
    name: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredKey:
    """What is known of an API key; the key itself was shown once."""

    id: UUID
    tenant_id: UUID
    name: str
    kind: str
    prefix: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    """To the minute or so."""
    revoked_at: datetime | None
    replaced_by: UUID | None
    """The key that a rotation has made of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkingKey:
    """What a request is checked against; `ends_in` is in seconds, None if it never ends."""

    id: UUID
    tenant_id: UUID
    kind: str
    hash: bytes
    ends_in: float | None


KEY_FIELDS = tuple(f.name for f in fields(StoredKey))


async def create(db: Queryable, name: str) -> tuple[StoredTenant, bool]:
    """The tenant of this name, and whether it is new."""
    row = await db.fetchrow(*SQL["create"](id=uuid7(), name=name))
    found = row or await db.fetchrow(*SQL["get_by_name"](name=name))
    assert found is not None
    return StoredTenant(**dict(found)), row is not None


async def get(db: Queryable, tenant_id: UUID) -> StoredTenant | None:
    row = await db.fetchrow(*SQL["get"](id=tenant_id))
    return StoredTenant(**dict(row)) if row else None


async def get_by_name(db: Queryable, name: str) -> StoredTenant | None:
    row = await db.fetchrow(*SQL["get_by_name"](name=name))
    return StoredTenant(**dict(row)) if row else None


async def list_all(db: Queryable) -> list[StoredTenant]:
    """Oldest first."""
    return [StoredTenant(**dict(row)) for row in await db.fetch(*SQL["list"]())]


async def list_page(db: Queryable, *, before: UUID | None, limit: int) -> list[StoredTenant]:
    """At most `limit`, newest first."""
    return [
        StoredTenant(**dict(row))
        for row in await db.fetch(*SQL["list_page"](before=before, limit=limit))
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """A key to store: its hash, and the prefix that finds it."""

    name: str
    kind: str
    prefix: str
    hash: bytes
    expires_at: datetime | None = None


async def issue_key(db: Queryable, tenant_id: UUID, new: NewKey) -> StoredKey:
    """Store a key of a tenant."""
    row = await db.fetchrow(*SQL["issue_key"](id=uuid7(), tenant_id=tenant_id, **named(new)))
    assert row is not None
    return _stored_key(row)


async def find_key(db: Queryable, prefix: str) -> WorkingKey | None:
    """The key with this prefix; None if it is revoked or has expired."""
    row = await db.fetchrow(*SQL["find_key"](prefix=prefix))
    return WorkingKey(**dict(row)) if row else None


async def list_keys(
    db: Queryable, tenant_id: UUID, *, before: UUID | None, limit: int
) -> list[StoredKey]:
    """At most `limit`, newest first, those that have ended included."""
    return [
        _stored_key(row)
        for row in await db.fetch(
            *SQL["list_keys"](tenant_id=tenant_id, before=before, limit=limit)
        )
    ]


async def lock_key(
    db: Queryable,
    *,
    tenant_id: UUID | None = None,
    key_id: UUID | None = None,
    prefix: str | None = None,
) -> tuple[StoredKey, bool] | None:
    """Keep a key as it is until the transaction ends; with it, whether it works."""
    row = await db.fetchrow(*SQL["lock_key"](tenant_id=tenant_id, id=key_id, prefix=prefix))
    return (_stored_key(row), row["works"]) if row else None


async def revoke_key(db: Queryable, key_id: UUID) -> bool:
    """False if it was revoked before."""
    return await db.fetchrow(*SQL["revoke_key"](id=key_id)) is not None


async def replace_key(db: Queryable, key_id: UUID, *, by: UUID, overlap: timedelta) -> StoredKey:
    """Let a key end after the overlap, for the one that takes its place; the old key."""
    row = await db.fetchrow(*SQL["replace_key"](id=key_id, replaced_by=by, overlap=overlap))
    assert row is not None
    return _stored_key(row)


async def note_use(db: Queryable, ago: Mapping[UUID, float]) -> None:
    """Keep when each of these keys was last used: so many seconds ago."""
    # All processes note keys in one order, so that they do not wait for each other in a circle.
    uses = [{"id": key_id, "ago": ago[key_id]} for key_id in sorted(ago)]
    await db.fetch(*SQL["note_use"](uses=uses))


def _stored_key(row: asyncpg.Record) -> StoredKey:
    return StoredKey(**{name: row[name] for name in KEY_FIELDS})
