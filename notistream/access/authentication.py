"""Authentication: the tenant of an API key, and the admin token."""

import hashlib
import hmac
import re
import secrets
import time
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

from notistream.access.failed_logins import FailedLogins
from notistream.access.key_usage import KeyUsage
from notistream.db import tenants
from notistream.db.pool import Database
from notistream.errors import DatabaseUnavailable, Unauthorized

V = TypeVar("V")
DEFAULT_TENANT = "default"
CACHED_S = 5.0
CACHED_KEYS = 10_000
PREFIX_LENGTH = 12
KEY = re.compile(r"ns_(live|test)_[A-Za-z0-9_-]{43}\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Principal:
    """The tenant that a request acts for; `key_id` is None without a key (AUTH=off)."""

    tenant_id: UUID
    key_id: UUID | None = None
    test: bool = False
    """A test key: its messages never reach a real provider."""


def new_key(kind: str) -> tuple[str, str, bytes]:
    """Make a key; return it, its lookup prefix and the hash to store."""
    key = f"ns_{kind}_{secrets.token_urlsafe(32)}"
    return key, key_prefix(key), digest(key)


def key_prefix(key: str) -> str:
    """Return the part of a key that identifies it without revealing it."""
    return key[: len("ns_live_") + PREFIX_LENGTH]


def digest(key: str) -> bytes:
    """Keys carry 256 random bits, so a plain hash is enough."""
    return hashlib.sha256(key.encode()).digest()


class Authentication:
    """Checks keys and caches each answer for a few seconds.

    A revoked key works until its cached answer ends.
    """

    def __init__(self, database: Database, *, required: bool, admin_token: str | None) -> None:
        self._database = database
        self._required = required
        self._admin_token = admin_token
        self._known: dict[bytes, tuple[Principal, float]] = {}
        self._unknown: dict[
            bytes, float
        ] = {}  # a cache of its own, so that guesses do not evict valid keys
        self._default: Principal | None = None
        self.failed_logins = FailedLogins()
        self.key_usage = KeyUsage(lambda ago: tenants.note_use(database, ago))

    async def authenticate(self, api_key: str | None) -> Principal:
        """Return the principal of a request with this key.

        Raises:
            Unauthorized: keys are required, and this one is missing or invalid.
        """
        if self._default is not None and api_key is None and not self._required:
            return self._default
        found = await self._lookup(api_key) if api_key else None
        if found is not None and found.key_id is not None:
            self.key_usage.note(found.key_id)
            return found
        if self._required:
            raise Unauthorized("send a valid key in the header X-API-Key")
        return await self._default_principal()

    async def _lookup(self, api_key: str) -> Principal | None:
        if not KEY.match(api_key):
            return None
        hashed, now = digest(api_key), time.monotonic()
        known = self._known.get(hashed)
        if known and known[1] > now:
            return known[0]
        if self._unknown.get(hashed, now) > now:
            return None
        found = await tenants.find_key(self._database, key_prefix(api_key))
        if found is None or not hmac.compare_digest(found.hash, hashed):
            _remember(self._unknown, hashed, now + CACHED_S)
            return None
        principal = Principal(found.tenant_id, found.id, found.kind == "test")
        lasts_s = CACHED_S if found.ends_in is None else min(found.ends_in, CACHED_S)
        _remember(self._known, hashed, (principal, now + lasts_s))
        return principal

    async def _default_principal(self) -> Principal:
        if self._default is None:
            found = await tenants.get_by_name(self._database, DEFAULT_TENANT)
            if found is None:
                raise DatabaseUnavailable(
                    "tenant `default` is missing: run `notistream seed --demo`"
                )
            self._default = Principal(found.id)
        return self._default

    def is_admin(self, token: str | None) -> bool:
        """Compared in constant time; never true while no admin token is set."""
        if not self._admin_token or not token:
            return False
        return hmac.compare_digest(token.encode(), self._admin_token.encode())


def _remember(known: dict[bytes, V], hashed: bytes, value: V) -> None:
    if len(known) >= CACHED_KEYS:
        known.clear()
    known[hashed] = value
