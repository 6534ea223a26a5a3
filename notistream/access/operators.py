"""Operators of the console: their tokens, their roles and their signed sessions."""

import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import jwt

from notistream.access.failed_logins import FailedLogins
from notistream.errors import Unauthorized
from notistream.settings.model import LOOPBACK, Settings

ALGORITHM = "HS256"
AUDIENCE = "notistream-console"
CLAIMS = ("aud", "sub", "jti", "iat", "exp")
SESSION_S = 12 * 3600
LEEWAY_S = 5
WRONG_TOKENS = 10
"""Wrong tokens that one address may send in a minute."""


class Role(StrEnum):
    """What an operator may do."""

    READER = "reader"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Operator:
    """A signed-in operator and the session."""

    name: str
    role: Role
    key_id: str
    session: str

    @property
    def may_act(self) -> bool:
        """Whether more than looking is allowed."""
        return self.role is Role.OPERATOR

    @property
    def actor(self) -> str:
        """As the audit log names them."""
        return f"console:{self.name}"


@dataclass(frozen=True, slots=True)
class _Holder:
    """A token's holder.

    `key_id` names the key that signs their sessions, and leads neither to it nor to the token.
    """

    name: str
    role: Role
    token: str

    @property
    def key(self) -> bytes:
        return self._derived("session")

    @property
    def key_id(self) -> str:
        return self._derived(f"key of {self.role} {self.name}").hex()[:16]

    def _derived(self, purpose: str) -> bytes:
        return hmac.new(
            self.token.encode(), f"notistream console {purpose}".encode(), hashlib.sha256
        ).digest()


class Operators:
    """Signs each session with a key derived from its token, so replacing a token ends its sessions.

    Nothing is stored: every process with the same settings accepts the same sessions.
    """

    def __init__(
        self,
        tokens: Mapping[str, str],
        readers: Mapping[str, str] | None = None,
        *,
        local: str | None = None,
    ) -> None:
        """With the secret `local`, everybody who reaches this process is the operator `local`."""
        holders = [
            *(_Holder(name, Role.OPERATOR, token) for name, token in tokens.items()),
            *(_Holder(name, Role.READER, token) for name, token in (readers or {}).items()),
        ]
        self._local = _Holder("local", Role.OPERATOR, f"local {local}") if local else None
        self._holders = {
            holder.key_id: holder for holder in (*holders, *filter(None, [self._local]))
        }
        self.failed_logins = FailedLogins(WRONG_TOKENS)

    @property
    def is_open(self) -> bool:
        """Whether everybody who reaches this process is let in, as `local`."""
        return self._local is not None

    def sign_in(self, token: str) -> str:
        """Open a session for the holder of a token.

        Raises:
            Unauthorized: nobody holds this token.
        """
        # Compare all tokens, so that the time taken reveals nothing.
        found = [
            h
            for h in self._holders.values()
            if hmac.compare_digest(h.token.encode(), token.encode())
        ]
        if not found:
            raise Unauthorized("this token is nobody's")
        return _issue(found[0])

    def sign_in_local(self) -> str:
        """A session for whoever asks; raises Unauthorized where the console is not open."""
        if self._local is None:
            raise Unauthorized("sign in with a token")
        return _issue(self._local)

    def verify(self, session: str | None) -> Operator | None:
        """Return the operator of a session.

        None if the session is malformed, changed or expired, or its token is no longer valid.
        """
        if not session:
            return None
        try:
            key_id = jwt.get_unverified_header(session)["kid"]
            holder = self._holders[key_id]
            claims = jwt.decode(
                session,
                holder.key,
                algorithms=[ALGORITHM],
                audience=AUDIENCE,
                leeway=LEEWAY_S,
                options={"require": list(CLAIMS), "strict_aud": True},
            )
        except (jwt.PyJWTError, KeyError, TypeError, ValueError):
            return None
        return Operator(holder.name, holder.role, key_id, str(claims["jti"]))

    def form_token(self, operator: Operator) -> str:
        """Return the CSRF token of this session's forms."""
        return self._tag(operator, "form")

    def is_form_token(self, operator: Operator, given: str) -> bool:
        """Compared in constant time."""
        return hmac.compare_digest(given.encode(), self.form_token(operator).encode())

    def seal(self, operator: Operator, text: str) -> str:
        """A text for this session's own cookie, that nobody else could have put there."""
        encoded = base64.urlsafe_b64encode(text.encode()).decode()
        return f"{encoded}.{self._tag(operator, 'seal:' + text)}"

    def unseal(self, operator: Operator, sealed: str) -> str | None:
        """The text; None where it is not of this session."""
        packed, _, tag = sealed.partition(".")
        try:
            text = base64.urlsafe_b64decode(packed).decode()
        except ValueError:
            return None
        return (
            text
            if hmac.compare_digest(tag.encode(), self._tag(operator, "seal:" + text).encode())
            else None
        )

    def _tag(self, operator: Operator, purpose: str) -> str:
        message = f"{operator.session}:{purpose}".encode()
        return hmac.new(self._holders[operator.key_id].key, message, hashlib.sha256).hexdigest()


def _issue(holder: _Holder) -> str:
    now = int(time.time())
    claims = {
        "aud": AUDIENCE,
        "sub": holder.name,
        "jti": secrets.token_urlsafe(16),
        "iat": now,
        "exp": now + SESSION_S,
    }
    return jwt.encode(claims, holder.key, algorithm=ALGORITHM, headers={"kid": holder.key_id})


def operators_of(settings: Settings) -> Operators:
    """Build operators from the settings; without keys and on loopback, everybody is one."""
    tokens = {name: token.get_secret_value() for name, token in settings.console_tokens.items()}
    readers = {
        name: token.get_secret_value() for name, token in settings.console_read_tokens.items()
    }
    if settings.admin_token is not None:
        tokens["admin"] = settings.admin_token.get_secret_value()
    local = settings.auth == "off" and settings.host in LOOPBACK
    # With the admin token sessions outlive a restart; without one they end with the process.
    return Operators(
        tokens, readers, local=(tokens.get("admin") or secrets.token_urlsafe(32)) if local else None
    )
