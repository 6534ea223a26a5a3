"""Tokens for browsers (ws-jwt): one recipient of one tenant, for a while; signed, never stored."""

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import jwt

from notistream.domain.validation import recipient_id_error
from notistream.errors import NotConfigured, Unauthorized

ALGORITHM = "HS256"
ISSUER = "notistream"
AUDIENCE = "notistream-ws"
CLAIMS = ("iss", "aud", "sub", "tenant", "iat", "exp")
LEEWAY_S = 5
"""By how much the clocks of two API processes may differ."""


@dataclass(frozen=True, slots=True)
class RecipientToken:
    """Whom a token lets in, and until when (seconds since 1970)."""

    tenant_id: UUID
    recipient_id: str
    expires_at: float


class RecipientTokens:
    """The first secret signs.

    All verify, so that a secret can be replaced while tokens of the old one live.
    """

    def __init__(self, secrets: Sequence[str]) -> None:
        self._secrets = {key_id(secret): secret for secret in secrets}
        self._signs = key_id(secrets[0]) if secrets else None

    def issue(self, tenant_id: UUID, recipient_id: str, *, ttl_s: int) -> str:
        """A token that lets this recipient in; raises NotConfigured."""
        if self._signs is None:
            raise NotConfigured(
                "set NOTISTREAM_JWT_SECRET to at least 32 random characters to issue tokens"
            )
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": recipient_id,
            "tenant": str(tenant_id),
            "iat": now,
            "exp": now + ttl_s,
        }
        return jwt.encode(
            claims, self._secrets[self._signs], algorithm=ALGORITHM, headers={"kid": self._signs}
        )

    def verify(self, token: str) -> RecipientToken:
        """Whom the token lets in.

        Raises:
            Unauthorized: it is not one of ours, has been changed, or has expired.
        """
        try:
            # The header only chooses among secrets that are in memory; the algorithm is never the
            # token's choice.
            secret = self._secrets[jwt.get_unverified_header(token)["kid"]]
            claims = jwt.decode(
                token,
                secret,
                algorithms=[ALGORITHM],
                audience=AUDIENCE,
                issuer=ISSUER,
                leeway=LEEWAY_S,
                options={"require": list(CLAIMS), "strict_aud": True},
            )
            found = RecipientToken(UUID(claims["tenant"]), claims["sub"], float(claims["exp"]))
        except jwt.ExpiredSignatureError:
            raise Unauthorized(
                "the token has expired; get a new one from POST /api/v1/ws-token"
            ) from None
        except (jwt.PyJWTError, KeyError, TypeError, ValueError, AttributeError):
            raise Unauthorized(
                "the token is not valid; get one from POST /api/v1/ws-token"
            ) from None
        if recipient_id_error(found.recipient_id):
            raise Unauthorized("the token is not valid; get one from POST /api/v1/ws-token")
        return found


def key_id(secret: str) -> str:
    """Names a secret without telling it."""
    return hashlib.sha256(b"notistream kid " + secret.encode()).hexdigest()[:16]
