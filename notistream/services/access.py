"""Access: which tenant a key belongs to, and who may administer."""

import hashlib
import hmac
import secrets
import time
from uuid import UUID

from notistream.db import tenants
from notistream.db.pool import Database
from notistream.errors import DatabaseUnavailable, Unauthorized

DEFAULT_TENANT = "default"
CACHED_S = 5.0
PREFIX_LENGTH = 12


def new_key(kind: str) -> tuple[str, str, bytes]:
    """A fresh key, the prefix that finds it, and the hash that is stored."""
    key = f"ns_{kind}_{secrets.token_urlsafe(32)}"
    return key, key_prefix(key), digest(key)


def key_prefix(key: str) -> str:
    """What identifies a key without revealing it."""
    return key[: len("ns_live_") + PREFIX_LENGTH]


def digest(key: str) -> bytes:
    """Keys carry 256 random bits, so a plain hash is enough."""
    return hashlib.sha256(key.encode()).digest()


class Access:
    """Checks keys, remembering each answer for a few seconds."""

    def __init__(self, database: Database, *, required: bool, admin_token: str | None) -> None:
        self._database = database
        self._required = required
        self._admin_token = admin_token
        self._known: dict[bytes, tuple[UUID | None, float]] = {}
        self._default: UUID | None = None

    async def tenant_of(self, api_key: str | None) -> UUID:
        """The tenant that a request acts for.

        Raises:
            Unauthorized: keys are required, and this is not a live one.
        """
        if self._default is not None and api_key is None and not self._required:
            return self._default
        tenant = await self._lookup(api_key) if api_key else None
        if tenant is not None:
            return tenant
        if self._required:
            raise Unauthorized("send a valid key in the header X-API-Key")
        return await self._default_tenant()

    async def _lookup(self, api_key: str) -> UUID | None:
        hashed = digest(api_key)
        known = self._known.get(hashed)
        if known and known[1] > time.monotonic():
            return known[0]
        found = await tenants.find_key(self._database, key_prefix(api_key))
        tenant = found.tenant_id if found and hmac.compare_digest(found.hash, hashed) else None
        if len(self._known) > 10_000:
            self._known.clear()
        self._known[hashed] = (tenant, time.monotonic() + CACHED_S)
        return tenant

    async def _default_tenant(self) -> UUID:
        if self._default is None:
            found = await tenants.get_by_name(self._database, DEFAULT_TENANT)
            if found is None:
                raise DatabaseUnavailable("tenant `default` is missing: run `notistream seed --demo`")
            self._default = found.id
        return self._default

    def is_admin(self, token: str | None) -> bool:
        """Compared in constant time; never true while no admin token is set."""
        if not self._admin_token or not token:
            return False
        return hmac.compare_digest(token.encode(), self._admin_token.encode())
