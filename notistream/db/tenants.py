"""Tenants and their API keys, of which only hashes are stored."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from uuid_utils.compat import uuid7

from notistream.db.pool import Queryable
from notistream.db.queries import load

SQL = load("tenants")


@dataclass(frozen=True, slots=True)
class StoredTenant:
    """An isolated customer."""

    id: UUID
    name: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class StoredKey:
    """What is known of an API key; the key itself was shown once."""

    id: UUID
    tenant_id: UUID
    kind: str
    hash: bytes


async def create(db: Queryable, name: str) -> tuple[StoredTenant, bool]:
    """The tenant of this name, and whether it is new."""
    row = await db.fetchrow(SQL["create"], uuid7(), name)
    found = row or await db.fetchrow(SQL["get_by_name"], name)
    assert found is not None
    return StoredTenant(**dict(found)), row is not None


async def get_by_name(db: Queryable, name: str) -> StoredTenant | None:
    row = await db.fetchrow(SQL["get_by_name"], name)
    return StoredTenant(**dict(row)) if row else None


async def list_all(db: Queryable) -> list[StoredTenant]:
    """Oldest first."""
    return [StoredTenant(**dict(row)) for row in await db.fetch(SQL["list"])]


async def issue_key(db: Queryable, tenant_id: UUID, *, name: str, kind: str, prefix: str, digest: bytes) -> UUID:
    """Store a key's hash; its id."""
    row = await db.fetchrow(SQL["issue_key"], uuid7(), tenant_id, name, kind, prefix, digest)
    assert row is not None
    key_id: UUID = row["id"]
    return key_id


async def find_key(db: Queryable, prefix: str) -> StoredKey | None:
    """The live key with this prefix."""
    row = await db.fetchrow(SQL["find_key"], prefix)
    return StoredKey(**dict(row)) if row else None


async def revoke_key(db: Queryable, prefix: str) -> bool:
    """False where there is no such key, or it is revoked."""
    return await db.fetchrow(SQL["revoke_key"], prefix) is not None
