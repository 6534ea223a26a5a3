"""One mail transaction on a connection, and what each failure means for the message."""

import time
from dataclasses import dataclass, field

from aiosmtplib import SMTPDataError, SMTPException, SMTPRecipientRefused, SMTPSenderRefused

from notistream.providers.api import PermanentError, TemporaryError
from notistream.providers.mime import Mail
from notistream.providers.smtp_pool import Connection
from notistream.providers.smtp_replies import Stage, refusal

RSET_S = 1.0
SERVICE_CLOSING = 421


@dataclass(frozen=True, slots=True)
class Deadline:
    """When the message must begin to go out; before that, it was certainly not sent."""

    seconds: float
    _began: float = field(default_factory=time.monotonic)

    @property
    def left_s(self) -> float:
        return max(self._began + self.seconds - time.monotonic(), 0.001)


async def begin(connection: Connection, mail: Mail, before: Deadline) -> bool:
    """MAIL FROM; False where the connection was used before and has ended since.

    Raises:
        TemporaryError, PermanentError: nothing was sent.
    """
    client = connection.client
    if mail.utf8 and not client.supports_extension("smtputf8"):
        connection.fit = True
        raise PermanentError(
            "the mail server takes no address with letters that are not ASCII (SMTPUTF8)"
        )
    try:
        await client.mail(
            mail.sender,
            options=["SMTPUTF8"] if mail.utf8 else [],
            encoding="utf-8",
            timeout=before.left_s,
        )
    except SMTPSenderRefused as exc:
        if exc.code == SERVICE_CLOSING and not connection.fresh:
            return False
        await _take_back(connection)
        raise refusal(exc.code, exc.message, Stage.SENDER) from None
    except (SMTPException, OSError) as exc:
        if not connection.fresh:
            return False
        raise lost(exc) from None
    return True


async def hand_over(connection: Connection, mail: Mail, before: Deadline) -> None:
    """RCPT TO and the message; without a reply to the message, the outcome is unknown.

    Raises:
        TemporaryError, PermanentError: it was refused, or the connection ended before the message
          went out.
        TimeoutError, OSError: the outcome is unknown.
    """
    try:
        await connection.client.rcpt(mail.recipient, encoding="utf-8", timeout=before.left_s)
    except SMTPRecipientRefused as exc:
        await _take_back(connection)
        raise refusal(exc.code, exc.message, Stage.RECIPIENT) from None
    except (SMTPException, OSError) as exc:
        raise lost(exc) from None
    try:
        # A filter of the server may take long; the caller's time limit ends the call.
        await connection.client.data(mail.content, timeout=None)
    except SMTPDataError as exc:
        if exc.code // 100 == 2:
            connection.fit = True
            return
        if exc.code // 100 not in {4, 5}:
            raise ConnectionError("the reply to the message is no reply") from None
        await _take_back(connection)
        raise refusal(exc.code, exc.message, Stage.MESSAGE) from None
    connection.fit = True


async def _take_back(connection: Connection) -> None:
    """End a refused transaction, so that the connection can serve another message."""
    try:
        await connection.client.rset(timeout=RSET_S)
    except (SMTPException, OSError):
        return
    connection.fit = True


def lost(error: SMTPException | OSError) -> TemporaryError:
    """The connection ended, or did not answer, before the message went out."""
    return TemporaryError(
        f"the connection ended before the message was sent: {type(error).__name__}"
    )
