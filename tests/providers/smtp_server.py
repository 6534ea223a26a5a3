"""A mail server (aiosmtpd) whose next replies can be scripted; implements `contract.Vendor`."""

import asyncio
import logging
import ssl
import warnings
from collections import Counter, deque
from contextlib import asynccontextmanager
from email import message_from_bytes, policy

from aiosmtpd.smtp import SMTP, AuthResult

from notistream.providers.faulty import SERVED, Fault, Play

KEY_END = "@"
logging.getLogger(
    "mail.log"
).disabled = True  # it says what clients send, as a test's own server may


class Session(SMTP):
    """One connection; the server counts it, and can break it."""

    def __init__(self, server, **options):
        self.mail_server = server
        super().__init__(server, **options)

    def connection_made(self, transport):
        if self not in self.mail_server.sessions:
            self.mail_server.opened_connections += 1
        self.mail_server.sessions[self] = transport
        super().connection_made(transport)

    def connection_lost(self, error):
        self.mail_server.sessions.pop(self, None)
        super().connection_lost(error)


class MailServer:
    """Implements aiosmtpd's handler. `replies` are by command, such as {"RCPT": "550 5.1.1 no"}."""

    def __init__(self, *, auth=None, utf8=True, tls=None, starttls=None):
        self.sessions = {}
        self.opened_connections = 0
        self.keys = []
        self.accepted = Counter()
        self.mails = []
        self.envelopes = []
        self.auth = auth
        self.needs_login = auth is not None
        self.logins = 0
        self._next = deque()
        self._utf8 = utf8
        self._tls = tls
        self._starttls = starttls
        self._tasks = set()
        self.port = 0

    @property
    def open_connections(self):
        return len(self.sessions)

    def play(self, *faults):
        self._next.extend(faults)

    def _at(self, command):
        """The scripted refusal of the next message, where it is this command's."""
        if (
            self._next
            and self._next[0].play is Play.REFUSE
            and self._next[0].code.startswith(command)
        ):
            fault = self._next.popleft()
            return fault.code.removeprefix(command).strip()
        return None

    def expire(self):
        """The login ends, and with it the connections that were made by it."""
        self.auth = None
        for transport in list(self.sessions.values()):
            transport.abort()

    async def handle_MAIL(self, server, session, envelope, address, options):  # noqa: N802
        if reply := self._at("MAIL"):
            return reply
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 ok"

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802
        if reply := self._at("RCPT"):
            return reply
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 ok"

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        mail = message_from_bytes(envelope.content, policy=policy.SMTP)
        key = mail["Message-ID"].strip("<>").partition(KEY_END)[0]
        self.keys.append(key)
        if reply := self._at("DATA"):
            return reply
        fault = self._next.popleft() if self._next else SERVED
        self.accepted[key] += 1
        self.mails.append(mail)
        self.envelopes.append(envelope)
        return await self._reply(server, fault)

    async def _reply(self, server, fault: Fault):
        transport = self.sessions[server]
        match fault.play:
            case Play.STALL:
                await asyncio.sleep(60)
            case Play.SLOW_HEADERS:
                for byte in b"250-2.0.0 " + b"y" * 100:
                    transport.write(bytes([byte]))
                    await asyncio.sleep(0.1)
            case Play.MALFORM:
                transport.write(b"250 \xff\xfe<html>{\r\n")
                await asyncio.sleep(0.05)
            case Play.RESET:
                pass
            case _:
                return "250 2.0.0 queued"
        transport.abort()
        return "250 2.0.0 queued"

    def _authenticate(self, server, session, envelope, mechanism, data):
        self.logins += 1
        good = self.auth is not None and (data.login.decode(), data.password.decode()) == self.auth
        return AuthResult(
            success=good, handled=good, message=None if good else "535 5.7.8 credentials invalid"
        )

    def _session(self):
        return _made(self, self._utf8, self._starttls, self._authenticate)

    async def start(self):
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._session, "127.0.0.1", 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self):
        self._server.close()
        for session, transport in list(self.sessions.items()):
            transport.abort()
            if session._handler_coroutine:
                session._handler_coroutine.cancel()
        await asyncio.sleep(0.01)


def _made(server, utf8, starttls, authenticate):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a login without TLS is for tests on loopback
        return Session(
            server,
            hostname="mail.test",
            enable_SMTPUTF8=utf8,
            tls_context=starttls,
            require_starttls=starttls is not None,
            authenticator=authenticate,
            auth_require_tls=False,
            auth_required=server.needs_login,
            ident="test",
        )


def tls_context(certificate, key) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


@asynccontextmanager
async def mail_server(**options):
    server = MailServer(**options)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()
