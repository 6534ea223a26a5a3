"""The SMTP provider and a mail server."""

import base64
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace

from notistream.domain.outcome import Permanent, Temporary
from notistream.providers.api import Context
from notistream.providers.contract import Subject
from notistream.providers.faulty import refused
from notistream.providers.smtp import SmtpProvider, SmtpSettings
from tests.providers.case import SMS, Case
from tests.providers.smtp_server import mail_server

EMAIL = replace(
    SMS,
    channel="email",
    recipient="ada@example.com",
    subject="Your code",
    content="Your code is 4711",
    html="<p>Your code is <b>4711</b></p>",
    headers={"List-Unsubscribe": "<https://example.com/u/1>"},
)
USER, PASSWORD = "mailer", "planted-password"
SENDER = "NotiStream <no-reply@example.com>"


def reply(text):
    """A refusal in the order `COMMAND code words`."""
    return refused(int(text.split()[1]), text)


def smtp_to(server, context=None, **settings):
    return SmtpProvider(
        SmtpSettings(
            **{"host": "127.0.0.1", "port": server.port, "sender": SENDER, "tls": "off", **settings}
        ),
        context or Context(timeout_s=30),
    )


@asynccontextmanager
async def subject():
    login = (USER, PASSWORD)
    async with mail_server(auth=login) as server:
        provider = smtp_to(server, username=USER, password=PASSWORD)
        async with aclosing(provider):
            yield Subject(
                provider=provider,
                vendor=server,
                message=EMAIL,
                secrets=[PASSWORD, base64.b64encode(f"\0{USER}\0{PASSWORD}".encode()).decode()],
                expire=server.expire,
                renew=lambda: setattr(server, "auth", login),
                refusals=[
                    (
                        reply("RCPT 550 5.1.1 <ada@example.com> unknown"),
                        Permanent(
                            "SMTP 550 5.1.1: bad destination mailbox address", dead_address=True
                        ),
                    ),
                    (reply("RCPT 550 no"), Permanent("SMTP 550: mailbox unavailable")),
                    (
                        reply("RCPT 450 4.2.0 greylisted"),
                        Temporary("SMTP 450 4.2.0: mailbox deferred", 300.0, throttled=True),
                    ),
                    (
                        reply("RCPT 452 4.5.3 slow down"),
                        Temporary("SMTP 452 4.5.3: too many recipients", throttled=True),
                    ),
                    (
                        reply("RCPT 451 later"),
                        Temporary("SMTP 451: local error in processing", throttled=True),
                    ),
                    (reply("MAIL 452 4.3.1 full"), Temporary("SMTP 452 4.3.1: mail system full")),
                    (
                        reply("MAIL 550 5.7.1 no"),
                        Temporary(
                            "SMTP 550 5.7.1: delivery not authorized, message refused; correct"
                            " NOTISTREAM_SMTP_SENDER"
                        ),
                    ),
                    (
                        reply("MAIL 552 5.3.4 big"),
                        Permanent("SMTP 552 5.3.4: message too big for system"),
                    ),
                    (
                        reply("DATA 554 5.7.1 spam"),
                        Permanent("SMTP 554 5.7.1: delivery not authorized, message refused"),
                    ),
                    (
                        reply("DATA 554 5.1.1 not at RCPT"),
                        Permanent("SMTP 554 5.1.1: bad destination mailbox address"),
                    ),
                    (
                        reply("DATA 451 4.3.0 later"),
                        Temporary("SMTP 451 4.3.0: local error in processing"),
                    ),
                ],
            )


CASE = Case(
    subject,
    without={
        "retry_after": "SMTP has no such thing",
        "broken_answer": (
            "a reply that breaks off is no reply: until its end nobody knows (RFC 5321, 4.2)"
        ),
    },
)
