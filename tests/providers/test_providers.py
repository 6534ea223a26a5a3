"""Providers: what each answer of an HTTP receiver means, and that the guard never raises."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import aiohttp
import pytest

from notistream.delivery.ports import Message
from notistream.domain.outcome import Accepted, Ambiguous, Permanent, Temporary
from notistream.errors import Misconfigured
from notistream.providers import guard
from notistream.providers.api import Context, PermanentError, TemporaryError
from notistream.providers.http import answered_at, retry_after_s
from notistream.providers.registry import Providers
from notistream.providers.webhook import WebhookProvider, WebhookSettings
from notistream.settings.model import Settings
from tests.certificates import certificate
from tests.providers.smtp_server import tls_context
from tests.receiver import receiver

MESSAGE = Message(
    notification_id=uuid4(),
    tenant_id=uuid4(),
    channel="sms",
    recipient="+905000000001",
    subject=None,
    content="hi",
    idempotency_key="key-1",
    correlation_id="corr",
    traceparent="00-abc-def-01",
)
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def webhook_to(url):
    return WebhookProvider(WebhookSettings(url=url), Context(timeout_s=2))


@pytest.fixture
async def webhook():
    async with receiver() as ledger:
        provider = webhook_to(ledger.url)
        yield provider, ledger
        await provider.aclose()


async def call(provider, timeout_s=2.0):
    return await guard.call(provider, MESSAGE, timeout_s=timeout_s)


@pytest.mark.parametrize(
    ("status", "headers", "expected"),
    [
        (202, {}, Accepted("m-1")),
        (200, {}, Accepted("m-1")),
        (204, {}, Accepted(None)),
        (500, {}, Temporary("HTTP 500 internal server error")),
        (503, {"Retry-After": "7"}, Temporary("HTTP 503 service unavailable", 7.0)),
        (429, {"Retry-After": "-3"}, Temporary("HTTP 429 too many requests", 0.0, throttled=True)),
        (
            429,
            {"Retry-After": "1000000000"},
            Temporary("HTTP 429 too many requests", 3600.0, throttled=True),
        ),
        (599, {}, Temporary("HTTP 599 server error")),
        (400, {}, Permanent("HTTP 400 refused")),
        (404, {}, Permanent("HTTP 404 refused")),
        (302, {"Location": "http://127.0.0.1:1/"}, Permanent("HTTP 302 refused")),
    ],
)
async def test_what_a_status_means(webhook, status, headers, expected):
    provider, ledger = webhook
    ledger.answer = lambda _: (status, headers)
    assert await call(provider) == expected
    (sent,) = ledger.calls
    assert (sent["to"], sent["channel"], sent["content"], sent["key"]) == (
        "+905000000001",
        "sms",
        "hi",
        "key-1",
    )
    assert (sent["headers"]["X-Correlation-ID"], sent["headers"]["traceparent"]) == (
        "corr",
        "00-abc-def-01",
    )


async def test_an_email_carries_its_html_too(webhook):
    provider, ledger = webhook
    await provider.send(replace(MESSAGE, channel="email", subject="Hi", html="<p>hi"))
    await provider.send(MESSAGE)
    assert [(sent.get("subject"), sent.get("html")) for sent in ledger.calls] == [
        ("Hi", "<p>hi"),
        (None, None),
    ]


async def test_no_listener_is_temporary():
    provider = webhook_to("http://127.0.0.1:1/")
    assert isinstance(await call(provider), Temporary)
    await provider.aclose()


async def test_a_slow_answer_is_ambiguous(webhook):
    provider, ledger = webhook
    ledger.delay_s = 5
    assert await call(provider, timeout_s=0.2) == Ambiguous("no answer: timed out")


async def test_a_connection_that_breaks_after_the_request_is_ambiguous():
    async def slam(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(slam, "127.0.0.1", 0)
    provider = webhook_to(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
    assert isinstance(await call(provider), Ambiguous)
    await provider.aclose()
    server.close()


@pytest.mark.parametrize("header", ["", "Content-Encoding: gzip\r\n"])
async def test_an_accepted_answer_that_cannot_be_read_was_still_accepted(header):
    async def odd(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(
            f"HTTP/1.1 200 OK\r\n{header}Content-Length: 3\r\nConnection: close\r\n\r\nyes".encode()
        )
        writer.close()

    server = await asyncio.start_server(odd, "127.0.0.1", 0)
    provider = webhook_to(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
    assert await call(provider) == Accepted(None)
    await provider.aclose()
    server.close()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("nan", None),
        ("7", 7.0),
        ("1.5", 1.5),
        ("-1", 0.0),
        ("1e9", 3600.0),
        ("Sun, 22 Nov 2026 12:00:30 GMT", 30.0),
        ("Sun, 22 Nov 2026 11:00:00 GMT", 0.0),
    ],
)
def test_retry_after(value, expected):
    assert retry_after_s(value, now=NOW) == expected
    assert (
        retry_after_s("Sun, 22 Nov 2026 12:00:30 -0000", now=NOW)
        == timedelta(seconds=30).total_seconds()
    )


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        ("Sun, 22 Nov 2015 12:00:00 GMT", 7),
        ("Sun, 22 Nov 2015 12:00:00 -0000", 7),
        ("yesterday", 0),
        (None, 0),
    ],
)
def test_a_date_to_wait_for_is_measured_by_the_clock_that_wrote_it(date, expected):
    headers = {
        "Retry-After": "Sun, 22 Nov 2015 12:00:07 GMT",
        **({} if date is None else {"Date": date}),
    }
    # By our own clock the date is long past.
    assert retry_after_s(headers["Retry-After"], now=answered_at(headers)) == expected


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (
            TemporaryError("busy", retry_after_s=3, throttled=True),
            Temporary("busy", 3, throttled=True),
        ),
        (TemporaryError("down"), Temporary("down")),
        (PermanentError("no such number"), Permanent("no such number")),
        (ConnectionRefusedError(), Temporary("no connection: ConnectionRefusedError")),
        (aiohttp.ConnectionTimeoutError(), Temporary("no connection: timed out")),
        (aiohttp.ServerDisconnectedError(), Ambiguous("no answer: ServerDisconnectedError")),
        (ConnectionResetError(), Ambiguous("no answer: ConnectionResetError")),
        (TimeoutError(), Ambiguous("no answer: timed out")),
        (KeyError("oops"), Ambiguous("provider error: KeyError")),
    ],
)
async def test_the_guard_makes_a_value_of_whatever_a_provider_raises(error, expected):
    class Raising:
        name = "raising"
        channels = frozenset({"sms"})

        async def send(self, message):
            raise error

        async def aclose(self):
            pass

    assert await call(Raising()) == expected


async def test_the_provider_that_is_named_is_called():
    async with receiver() as ledger:
        providers = Providers(
            Settings(webhook_url=ledger.url, providers={"sms": ["console", "webhook"]})
        )
        assert isinstance(await providers.send("webhook", MESSAGE), Accepted)
        assert len(ledger.calls) == 1
        assert isinstance(await providers.send("console", MESSAGE), Accepted)
        assert len(ledger.calls) == 1
        await providers.aclose()


def test_which_provider_serves_which_channel():
    assert Providers(Settings()).names()["sms"] == ["console"]
    chosen = Providers(Settings(webhook_url="http://127.0.0.1:9/")).names()
    assert chosen == {
        "sms": ["webhook"],
        "email": ["webhook"],
        "push": ["webhook"],
        "in_app": ["in_app"],
    }
    with pytest.raises(Misconfigured, match="NOTISTREAM_WEBHOOK_URL"):
        Providers(Settings(providers={"sms": ["webhook"]}))
    with pytest.raises(Misconfigured, match="no provider `fax`"):
        Providers(Settings(providers={"sms": ["fax"]}))
    with pytest.raises(Misconfigured, match="cannot serve in_app"):
        Providers(Settings(webhook_url="http://127.0.0.1:9/", providers={"in_app": ["webhook"]}))


async def test_a_defect_is_logged_without_its_own_words(caplog):
    planted = "a-secret"

    class Defective:
        name = "defective"

        async def send(self, message):
            raise KeyError(planted)

    assert await call(Defective()) == Ambiguous("provider error: KeyError")
    (record,) = caplog.records
    assert (record.error, "in send" in record.where) == ("KeyError", True)
    assert planted not in f"{caplog.text} {record.__dict__}"


async def test_certificates_are_verified(tmp_path):
    _, leaf, key = certificate(tmp_path)
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0, ssl=tls_context(leaf, key))
    provider = webhook_to(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
    assert await call(provider) == Temporary("no connection: ClientConnectorCertificateError")
    await provider.aclose()
    server.close()


@pytest.mark.parametrize(
    ("no_proxy", "expected"), [("", Accepted("m-1")), ("127.0.0.2", Temporary)]
)
async def test_the_environments_proxy_is_used(monkeypatch, no_proxy, expected):
    for name in ("HTTP_PROXY", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    async with receiver() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", no_proxy)
        provider = webhook_to("http://127.0.0.2:1/")  # where nobody listens
        result = await call(provider)
        assert result == expected if no_proxy == "" else isinstance(result, expected)
        assert len(proxy.calls) == (no_proxy == "")
        await provider.aclose()
