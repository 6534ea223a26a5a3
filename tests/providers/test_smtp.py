"""SMTP beyond the contract: encryption, login, which connection is used, what each reply means."""

import asyncio
from dataclasses import replace
from uuid import uuid4

import pytest

from notistream.domain.outcome import Accepted, Ambiguous, Permanent, Temporary
from notistream.providers import guard, smtp_pool
from notistream.providers.api import Context
from notistream.providers.faulty import MALFORMED, STALLED
from notistream.providers.smtp_replies import Stage, refusal
from tests.certificates import certificate
from tests.providers.smtp import EMAIL, reply, smtp_to
from tests.providers.smtp_server import mail_server, tls_context
from tests.stack import until


@pytest.fixture
async def server():
    async with mail_server() as running:
        yield running


def fresh(**fields):
    id_ = uuid4()
    return replace(EMAIL, **{"notification_id": id_, "idempotency_key": str(id_), **fields})


async def send(provider, message=None, timeout_s=2.0):
    return await guard.call(provider, message or fresh(), timeout_s=timeout_s)


@pytest.mark.parametrize("tls", ["starttls", "tls"])
async def test_connections_are_encrypted_and_the_certificate_is_verified(tmp_path, tls):
    authority, leaf, key = certificate(tmp_path)
    context = tls_context(leaf, key)
    async with mail_server(
        **{"starttls": context} if tls == "starttls" else {"tls": context}
    ) as server:
        trusting = smtp_to(server, tls=tls, ca_file=authority)
        distrusting = smtp_to(server, tls=tls)
        assert isinstance(await send(trusting), Accepted)
        refused = await send(distrusting)
        assert isinstance(refused, Temporary)
        assert "certificate cannot be verified" in refused.reason
        assert [found.state for found in await trusting.check()] == ["ok"]
        (finding,) = await distrusting.check()
        assert (finding.state, "certificate" in finding.detail, "CA_FILE" in finding.remedy) == (
            "failed",
            True,
            True,
        )
        await trusting.aclose()
        await distrusting.aclose()
    assert len(server.mails) == 1


async def test_starttls_is_insisted_on(server):
    provider = smtp_to(server, tls="starttls")
    assert isinstance(await send(provider), Temporary)
    assert server.mails == []


async def test_a_wrong_login_waits_and_is_named():
    async with mail_server(auth=("u", "right")) as server:
        provider = smtp_to(server, username="u", password="planted-wrong")
        assert await send(provider) == Temporary(
            "SMTP 535 5.7.8: authentication credentials invalid; correct NOTISTREAM_SMTP_USERNAME"
            " and PASSWORD"
        )
        (finding,) = await provider.check()
        assert (finding.state, "credentials invalid" in finding.detail) == ("failed", True)
        assert "planted" not in repr(finding)
        assert [
            found.state for found in await smtp_to(server, username="u", password="right").check()
        ] == ["ok"]


async def test_nobody_listens():
    async with mail_server() as server:
        pass
    provider = smtp_to(server)
    assert await send(provider) == Temporary("no connection: ConnectionRefusedError")
    assert [found.state for found in await provider.check()] == ["failed"]


@pytest.mark.parametrize(("utf8", "expected"), [(True, Accepted), (False, Permanent)])
async def test_an_address_that_is_not_ascii_goes_where_smtputf8_is_spoken(utf8, expected):
    async with mail_server(utf8=utf8) as server:
        provider = smtp_to(server)
        result = await send(provider, fresh(recipient="jörg@müller.example"))
        assert isinstance(result, expected)
        assert isinstance(await send(provider), Accepted)
        if utf8:
            assert server.envelopes[0].rcpt_tos == ["jörg@xn--mller-kva.example"]
            assert "SMTPUTF8" in server.envelopes[0].mail_options
        await provider.aclose()


async def test_a_refusal_leaves_the_connection_usable(server):
    provider = smtp_to(server)
    for fault in (
        reply("RCPT 550 5.1.1 no"),
        reply("DATA 554 5.7.1 no"),
        reply("MAIL 452 4.3.1 no"),
    ):
        server.play(fault)
        assert not isinstance(await send(provider), Accepted)
        assert isinstance(await send(provider), Accepted)
    assert server.opened_connections == 1
    await provider.aclose()


async def test_a_connection_that_ended_while_idle_is_replaced(server):
    provider = smtp_to(server)
    assert isinstance(await send(provider), Accepted)
    for transport in list(server.sessions.values()):
        transport.abort()
    assert isinstance(await send(provider), Accepted)
    server.play(reply("MAIL 421 4.3.2 closing"))  # a limit of messages per connection says it so
    assert isinstance(await send(provider), Accepted)
    assert server.opened_connections == 3
    assert len(server.mails) == 3
    await provider.aclose()


async def test_a_server_that_ends_new_connections_too_is_temporary(server):
    provider = smtp_to(server)
    server.play(reply("MAIL 421 4.3.2 closing"))
    assert await send(provider) == Temporary(
        "SMTP 421 4.3.2: system not accepting network messages"
    )
    await provider.aclose()


async def test_a_rested_connection_is_looked_at_and_an_idle_one_closed(server, monkeypatch):
    monkeypatch.setattr(smtp_pool, "LOOK_AFTER_S", 0.0)
    provider = smtp_to(server, idle_s=0.2)
    assert isinstance(await send(provider), Accepted)
    assert isinstance(await send(provider), Accepted)
    assert server.opened_connections == 1
    await until(lambda: server.open_connections == 0, what="the idle connection to be closed")
    assert isinstance(await send(provider), Accepted)
    await provider.aclose()


async def test_connections_are_bounded_and_a_busy_pool_is_no_outage(server):
    provider = smtp_to(server, connections=3)
    results = await asyncio.gather(*(send(provider, timeout_s=30.0) for _ in range(30)))
    assert all(isinstance(result, Accepted) for result in results)
    assert server.opened_connections <= 3
    await provider.aclose()
    provider = smtp_to(server, Context(timeout_s=1.0), connections=3)
    server.play(STALLED, STALLED, STALLED)
    *stalled, waiting = await asyncio.gather(*(send(provider, timeout_s=3.0) for _ in range(4)))
    assert [type(result) for result in stalled] == [Ambiguous] * 3
    assert waiting == Temporary("every connection to the mail server is busy", throttled=True)
    await provider.aclose()
    await until(lambda: server.open_connections == 0, what="every connection to be closed")


async def test_what_the_mail_and_its_receipt_carry(server):
    provider = smtp_to(server)
    message = fresh(subject="Grüße")
    server.play(MALFORMED)
    result = await send(provider, message)
    (mail,) = server.mails
    assert (
        result
        == Accepted(mail["Message-ID"])
        == Accepted(f"<{message.idempotency_key}@example.com>")
    )
    assert (mail["Subject"], mail["List-Unsubscribe"]) == (
        "Grüße",
        EMAIL.headers["List-Unsubscribe"],
    )
    assert server.envelopes[0].mail_from == "no-reply@example.com"
    await provider.aclose()


@pytest.mark.parametrize(
    ("code", "text", "stage", "kind", "dead", "throttled"),
    [
        (550, "5.1.1 no", Stage.RECIPIENT, "PermanentError", True, None),
        (550, "5.2.1 disabled", Stage.RECIPIENT, "PermanentError", True, None),
        (556, "5.1.10 null mx", Stage.RECIPIENT, "PermanentError", True, None),
        (550, "5.1.1 no", Stage.MESSAGE, "PermanentError", False, None),
        (552, "5.2.2 full", Stage.RECIPIENT, "PermanentError", False, None),
        (550, "no such user", Stage.RECIPIENT, "PermanentError", False, None),
        (550, "5.7.26 unauthenticated", Stage.MESSAGE, "TemporaryError", None, False),
        (599, "what", Stage.RECIPIENT, "PermanentError", False, None),
        (530, "5.7.0 authenticate", Stage.SENDER, "TemporaryError", None, False),
        (421, "4.7.0 try later", Stage.RECIPIENT, "TemporaryError", None, True),
        (421, "closing", Stage.RECIPIENT, "TemporaryError", None, False),
        (450, "4.2.2 full", Stage.RECIPIENT, "TemporaryError", None, True),
        (499, "what", Stage.RECIPIENT, "TemporaryError", None, True),
        (451, "5.1.1 classes that differ", Stage.MESSAGE, "TemporaryError", None, False),
    ],
)
def test_what_a_reply_means(code, text, stage, kind, dead, throttled):
    error = refusal(code, f"{text} <ada@example.com>", stage)
    assert type(error).__name__ == kind
    assert getattr(error, "dead_address", None) == dead
    assert getattr(error, "throttled", None) == throttled
    assert str(code) in error.reason
    assert "ada" not in error.reason
