"""Recipient tokens (ws-jwt): signed, short-lived access of one recipient; never stored."""

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
    """The recipient that a token admits; `expires_at` is in seconds since 1970."""

    tenant_id: UUID
    recipient_id: str
    expires_at: float


class RecipientTokens:
    """Signs with the first secret and verifies with all.

    So a secret can be replaced while tokens of the old one are still valid.
    """

    def __init__(self, secrets: Sequence[str]) -> None:
        self._secrets = {key_id(secret): secret for secret in secrets}
        self._signs = key_id(secrets[0]) if secrets else None

    def issue(self, tenant_id: UUID, recipient_id: str, *, ttl_s: int) -> str:
        """Issue a token that admits this recipient; raises NotConfigured."""
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
        """Return the recipient that the token admits.

        Raises:
            Unauthorized: the token is not ours, was changed, or has expired.
        """
        try:
            # The header only selects a known secret; it never selects the algorithm.
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
    """Return an id of a secret that does not reveal it."""
    return hashlib.sha256(b"notistream kid " + secret.encode()).hexdigest()[:16]
