"""SMTP: hands e-mails to a mail server over STARTTLS or TLS, on pooled connections."""

import socket
import ssl
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from aiosmtplib import (
    SMTP,
    SMTPAuthenticationError,
    SMTPConnectError,
    SMTPException,
    SMTPNotSupported,
    SMTPResponseException,
)
from pydantic import Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from notistream.delivery.ports import Message
from notistream.domain.outcome import Accepted
from notistream.providers.api import Checked, Context, ProviderSettings, TemporaryError
from notistream.providers.mime import Mailbox, compose
from notistream.providers.smtp_pool import Connection, PoolExhausted, SmtpPool
from notistream.providers.smtp_replies import Stage, refusal
from notistream.providers.smtp_transaction import Deadline, begin, hand_over

LOOPBACK = ("127.0.0.1", "localhost", "::1")
PORTS = {"starttls": 587, "tls": 465, "off": 25}
BEFORE_SHARE = 0.6
"""Share of a call's time in which the message must begin to go out; later it is not begun."""


class SmtpSettings(ProviderSettings):
    """The mail server, and who we are there."""

    model_config = SettingsConfigDict(env_prefix="NOTISTREAM_SMTP_")

    host: str = Field(description="Mail server that e-mails are handed to.")
    port: int | None = Field(
        None, ge=1, le=65535, description="Its port. Default: 587, with TLS=tls 465, off 25."
    )
    sender: Mailbox = Field(
        description="From of every e-mail, such as NotiStream <no-reply@example.com>."
    )
    tls: Literal["starttls", "tls", "off"] = Field(
        "starttls", description="How the connection is encrypted; starttls requires it."
    )
    ca_file: Path | None = Field(
        None,
        description=(
            "PEM file of the authority that signed the server's certificate. Unset: the system's."
        ),
    )
    username: str | None = Field(None, description="Account at the mail server. Unset: no login.")
    password: SecretStr | None = Field(None, description="Its password.")
    connections: int = Field(10, ge=1, le=500, description="Connections per process, at most.")
    idle_s: float = Field(
        30.0, gt=0, le=3600, description="Seconds after which an unused connection is closed."
    )

    @model_validator(mode="after")
    def _consistent(self) -> "SmtpSettings":
        if (self.username is None) != (self.password is None):
            raise ValueError("USERNAME and PASSWORD belong together: set both or none")
        if self.password and self.tls == "off" and self.host not in LOOPBACK:
            raise ValueError("TLS=off would send the password in the clear: use starttls or tls")
        if self.ca_file and not self.ca_file.is_file():
            raise ValueError("CA_FILE is no file; it is the path of a PEM file")
        return self


class SmtpProvider:
    """Serves e-mail.

    The codes of the server's reply decide. Its text is left out, because it may name the address.
    """

    name = "smtp"
    channels = frozenset({"email"})
    settings_model = SmtpSettings

    def __init__(self, settings: SmtpSettings, context: Context) -> None:
        self._settings = settings
        self._before_s = context.timeout_s * BEFORE_SHARE
        self._tls: ssl.SSLContext | None = None
        self._pool = SmtpPool(
            self._connect, size=settings.connections, idle_s=settings.idle_s, clock=time.monotonic
        )

    async def send(self, message: Message) -> Accepted:
        """Hand over once; a pooled connection that has ended is replaced by a new one."""
        mail = compose(message, sender=self._settings.sender, now=datetime.now(UTC))
        before = Deadline(self._before_s)
        for fresh in (False, True):
            async with self._connection(before, fresh=fresh) as connection:
                if await begin(connection, mail, before):
                    await hand_over(connection, mail, before)
                    return Accepted(mail.message_id)
        raise TemporaryError("the mail server ends every connection at once")

    @asynccontextmanager
    async def _connection(self, before: Deadline, *, fresh: bool) -> AsyncIterator[Connection]:
        try:
            async with self._pool.connection(patience_s=before.left_s, fresh=fresh) as connection:
                yield connection
        except PoolExhausted:
            raise TemporaryError(
                "every connection to the mail server is busy", throttled=True
            ) from None

    async def _connect(self) -> SMTP:
        """A new connection, encrypted and logged in.

        Raises:
            TemporaryError: in words; nothing was sent.
        """
        settings = self._settings
        password = settings.password.get_secret_value() if settings.password else None
        client = SMTP(
            hostname=settings.host,
            port=settings.port or PORTS[settings.tls],
            use_tls=settings.tls == "tls",
            start_tls=settings.tls == "starttls",  # never None: that would go on in the clear
            tls_context=self._context() if settings.tls != "off" else None,
            username=settings.username,
            password=password,
            timeout=self._before_s,
            local_hostname=socket.gethostname(),
        )
        try:
            await client.connect()
            if client.is_ehlo_or_helo_needed:  # it says which extensions there are
                await client.ehlo()
        except (SMTPException, OSError) as exc:
            client.close()
            raise _not_connected(exc) from None
        return client

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = ssl.create_default_context(cafile=self._settings.ca_file)
        return self._tls

    async def check(self) -> Sequence[Checked]:
        """Connect, encrypt and log in, as a message would."""
        host = f"{self._settings.host}:{self._settings.port or PORTS[self._settings.tls]}"
        try:
            async with self._pool.connection(patience_s=self._before_s, fresh=True) as connection:
                connection.fit = True
        except (TemporaryError, PoolExhausted) as exc:
            remedy = (
                "correct NOTISTREAM_SMTP_HOST, PORT, TLS, CA_FILE, USERNAME or PASSWORD, as it says"
            )
            return (Checked("failed", f"{host}: {exc}", remedy),)
        return (
            Checked(
                "ok",
                f"{host} takes connections" + (" and the login" if self._settings.username else ""),
            ),
        )

    async def aclose(self) -> None:
        """Close the pooled connections."""
        await self._pool.aclose()


def _not_connected(error: Exception) -> Exception:
    """The error in our own words, because a server's may hold what no log should."""
    if isinstance(error, SMTPAuthenticationError):
        return refusal(error.code, error.message, Stage.ACCOUNT)
    if isinstance(error, SMTPConnectError) and isinstance(error.__cause__, OSError):
        return _not_connected(error.__cause__)
    match error:
        case ssl.SSLCertVerificationError():
            why = f"the certificate cannot be verified: {error.verify_message}"
        case SMTPResponseException():
            why = f"the mail server answers {error.code}"
        case SMTPNotSupported():
            why = "the mail server offers no login that we know"
        case TimeoutError():
            why = "timed out"
        case _:
            why = type(error).__name__
    return TemporaryError(f"no connection: {why}")
