"""Tenants and their API keys; every change writes its audit entry in the same transaction."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from notistream.access.authentication import new_key
from notistream.db import audit_log, tenants
from notistream.db.pool import Database, Queryable
from notistream.db.tenants import StoredKey, StoredTenant
from notistream.domain.validation import CONTROL
from notistream.errors import FieldError, InvalidRequest, KeyEnded, NotFound, TenantExists

MAX_NAME = 100
OVERLAP = timedelta(hours=24)
LONGEST_OVERLAP = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A new key; `secret` is the key itself, which is shown once and never stored."""

    secret: str
    stored: StoredKey


class Tenancy:
    """What an administrator does; `actor` is CLI or ADMIN, see `audit_log`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, name: str, *, actor: str) -> StoredTenant:
        """Create a tenant.

        Raises:
            InvalidRequest: the name is not valid.
            TenantExists: the name is taken.
        """
        _check(name)
        async with self._database.transaction() as db:
            tenant, new = await tenants.create(db, name)
            if not new:
                raise TenantExists(f"there is a tenant {name!r}")
            await audit_log.record(db, actor, "tenant.create", str(tenant.id), {"name": name})
        return tenant

    async def get(self, tenant_id: UUID) -> StoredTenant:
        """Raises NotFound."""
        found = await tenants.get(self._database, tenant_id)
        if found is None:
            raise NotFound(f"there is no tenant {tenant_id}")
        return found

    async def keys(self, tenant_id: UUID, *, before: UUID | None, limit: int) -> list[StoredKey]:
        """At most `limit`, newest first, ended ones included; raises NotFound."""
        await self.get(tenant_id)
        return await tenants.list_keys(self._database, tenant_id, before=before, limit=limit)

    async def issue(
        self, tenant_id: UUID, *, name: str, kind: str, expires_at: datetime | None, actor: str
    ) -> IssuedKey:
        """Create a key.

        Raises:
            NotFound: there is no such tenant.
            InvalidRequest: the name is not valid, or `expires_at` is in the past.
        """
        _check(name)
        _check_future(expires_at)
        await self.get(tenant_id)
        async with self._database.transaction() as db:
            issued = await _issue(db, tenant_id, name, kind, expires_at)
            await _note(db, actor, "key.issue", issued.stored)
        return issued

    async def revoke(
        self,
        *,
        tenant_id: UUID | None = None,
        key_id: UUID | None = None,
        prefix: str | None = None,
        actor: str,
    ) -> StoredKey:
        """Revoke a key, of this tenant if one is given; it stops working within seconds.

        Repeating the call is safe. Raises NotFound.
        """
        async with self._database.transaction() as db:
            key, _ = await _locked(db, tenant_id, key_id, prefix)
            if await tenants.revoke_key(db, key.id):
                await _note(db, actor, "key.revoke", key)
        return key

    async def rotate(
        self,
        *,
        tenant_id: UUID | None = None,
        key_id: UUID | None = None,
        prefix: str | None = None,
        overlap: timedelta = OVERLAP,
        expires_at: datetime | None = None,
        actor: str,
    ) -> IssuedKey:
        """Create a key that replaces another; the old one keeps working for `overlap`.

        Without `expires_at`, the new key gets the lifetime of the old one.

        Raises:
            NotFound: there is no such key.
            KeyEnded: the key has ended, or was already rotated.
            InvalidRequest: `expires_at` is in the past.
        """
        _check_future(expires_at)
        async with self._database.transaction() as db:
            old, works = await _locked(db, tenant_id, key_id, prefix)
            if not works or old.replaced_by is not None:
                raise KeyEnded
            if expires_at is None and old.expires_at is not None:
                expires_at = datetime.now(UTC) + (old.expires_at - old.created_at)
            issued = await _issue(db, old.tenant_id, old.name, old.kind, expires_at)
            ending = await tenants.replace_key(db, old.id, by=issued.stored.id, overlap=overlap)
            await _note(
                db, actor, "key.rotate", issued.stored, replaces=old.prefix, until=ending.expires_at
            )
        return issued


def _check(name: str) -> None:
    if not name.strip() or name != name.strip() or CONTROL.search(name) or len(name) > MAX_NAME:
        raise InvalidRequest(
            [
                FieldError(
                    "/name",
                    f"must have 1 to {MAX_NAME} characters, no control characters, and no blanks"
                    " around them",
                )
            ]
        )


def _check_future(expires_at: datetime | None) -> None:
    if expires_at is not None and expires_at <= datetime.now(UTC):
        raise InvalidRequest([FieldError("/expires_at", "must lie in the future")])


async def _locked(
    db: Queryable, tenant_id: UUID | None, key_id: UUID | None, prefix: str | None
) -> tuple[StoredKey, bool]:
    found = await tenants.lock_key(db, tenant_id=tenant_id, key_id=key_id, prefix=prefix)
    if found is None:
        raise NotFound("there is no such key")
    return found


async def _issue(
    db: Queryable, tenant_id: UUID, name: str, kind: str, expires_at: datetime | None
) -> IssuedKey:
    secret, prefix, hashed = new_key(kind)
    return IssuedKey(
        secret,
        await tenants.issue_key(
            db, tenant_id, name=name, kind=kind, prefix=prefix, digest=hashed, expires_at=expires_at
        ),
    )


async def _note(db: Queryable, actor: str, action: str, key: StoredKey, **details: object) -> None:
    await audit_log.record(
        db,
        actor,
        action,
        key.prefix,
        {
            "tenant_id": str(key.tenant_id),
            "key_id": str(key.id),
            "name": key.name,
            "kind": key.kind,
            **details,
        },
    )
