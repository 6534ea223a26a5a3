"""The SSRF guard: URLs by which tenants have tried to reach into a network, against servers here
that count.
"""

import asyncio
import socket
from contextlib import asynccontextmanager, suppress

import pytest
from aiohttp.abc import AbstractResolver

from notistream.domain.webhook import NoReply, Reply
from notistream.domain.webhook_address import Allowed, allowed_from
from notistream.observability import metrics
from notistream.webhooks.client import WebhookClient
from notistream.webhooks.names import Names as SystemNames
from tests.tables import case

PUBLIC, LOOPBACK = "93.184.215.14", "127.0.0.1"
CLOSED = Allowed()
OPEN = allowed_from("127.0.0.0/8,::1/128")


class Names(AbstractResolver):
    """Answers for names of the test, each time the next of their answers.

    The system answers for the rest.
    """

    def __init__(self, **names):
        self.names = {name.replace("_", "."): list(answers) for name, answers in names.items()}
        self.system = SystemNames()

    async def resolve(self, host, port=0, family=socket.AF_UNSPEC):
        answers = self.names.get(host.rstrip("."))
        if answers is None:
            return await self.system.resolve(host, port, family)
        found = answers.pop(0) if len(answers) > 1 else answers[0]
        return [
            {
                "hostname": host,
                "host": address,
                "port": port,
                "proto": 0,
                "flags": 0,
                "family": socket.AF_INET6 if ":" in address else socket.AF_INET,
            }
            for address in found
        ]

    async def close(self):
        await self.system.close()


class Canary:
    """Listens on one port of both loopback addresses, and counts who connects."""

    def __init__(
        self, answer=b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
    ):
        self.connections = 0
        self.answer = answer
        self.port = 0

    async def _serve(self, reader, writer):
        self.connections += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(self.answer)
        await writer.drain()
        writer.close()

    @asynccontextmanager
    async def listening(self):
        first = await asyncio.start_server(self._serve, LOOPBACK, 0)
        self.port = first.sockets[0].getsockname()[1]
        servers = [first]
        with suppress(OSError):  # a machine without IPv6
            servers.append(await asyncio.start_server(self._serve, "::1", self.port))
        try:
            yield self
        finally:
            for server in servers:
                server.close()


@pytest.fixture
async def canary():
    async with Canary().listening() as listening:
        yield listening


@asynccontextmanager
async def client(allowed=CLOSED, **names):
    opened = WebhookClient(allowed, resolver=Names(**names))
    try:
        yield opened
    finally:
        await opened.aclose()


NAMES = {
    "loop_test": [[LOOPBACK]],
    "six_test": [["::1"]],
    "mapped_test": [["::ffff:127.0.0.1"]],
    "private_test": [["10.1.2.3"]],
    "metadata_test": [["169.254.169.254"]],
    "mixed_test": [["10.0.0.1", LOOPBACK]],
    "ula_test": [["fd00:ec2::254"]],
    "nat_test": [["64:ff9b::7f00:1"]],
    "zero_test": [["0.0.0.0"]],
}
HOSTS = [
    LOOPBACK,
    "127.1.2.3",
    "localhost",
    "localhost.",
    "LOCALHOST",
    "127.0.0.1.",
    "0.0.0.0",
    "0",
    "127.1",
    "0x7f.1",
    "0x7f000001",
    "0x7F.0x0.0x0.0x1",
    "2130706433",
    "017700000001",
    "0177.0.0.1",
    "127.0.1",
    "00000177.0.0.1",
    "127.0.0.0x1",
    "[::1]",
    "[::]",
    "[0:0:0:0:0:0:0:1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::127.0.0.1]",
    "[64:ff9b::127.0.0.1]",
    "[64:ff9b:1::7f00:1]",
    "[2002:7f00:1::]",
    "[2001:0:7f00:1::]",
    "[fe80::1]",
    "[fe80::1%25lo]",
    "[fc00::1]",
    "[fd00:ec2::254]",
    "[ff02::1]",
    "[2001:db8::1]",
    "127。0。0。1",
    "①②⑦.⓪.⓪.①",
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "100.100.100.200",
    "192.0.0.192",
    "198.18.0.1",
    "224.0.0.1",
    "239.255.255.255",
    "255.255.255.255",
    "240.0.0.1",
    "168.63.129.16",
    "192.0.2.1",
    *(name.replace("_", ".") for name in NAMES),
    "Loop.Test",
    "loop.test.",
]
FORMS = [
    "{scheme}://user:secret@" + LOOPBACK + ":{port}/",
    "{scheme}://user@loop.test:{port}/",
    "{scheme}://@" + LOOPBACK + ":{port}/",
    "{scheme}://example.com@" + LOOPBACK + ":{port}/",
    "{scheme}://example.com:80@loop.test:{port}/",
    "{scheme}://" + LOOPBACK + ":{port}\\@example.com/",
    "{scheme}://example.com\\@loop.test:{port}/",
    "{scheme}://loop.test:{port}#@example.com/",
    "{scheme}://" + LOOPBACK + ":{port} @example.com/",
    "{scheme}://" + LOOPBACK + ":{port}/\r\nX: y",
    "{scheme}:" + LOOPBACK + ":{port}/",
    "{scheme}:///" + LOOPBACK + ":{port}/",
    "//" + LOOPBACK + ":{port}/",
    " {scheme}://loop.test:{port}/",
    "{scheme}://loop%2etest:{port}/",
    "{scheme}://127.0.0.1%00.example.com:{port}/",
]
URLS = [*(f"{{scheme}}://{host}:{{port}}/hook" for host in HOSTS), *FORMS]
OTHERS = [
    "file:///etc/passwd",
    "ftp://example.com/",
    "gopher://127.0.0.1:6379/_x",
    "unix:///var/run/docker.sock",
    "",
    "example.com/hook",
    "https://",
    "https://example.com:0/",
    "https://example.com:22/",
    "https://example.com:25/",
    "https://example.com:1023/",
    "https://example.com:65536/",
    "https://example.com:-1/",
    "https://example.com:x/",
    "https://[::1",
    "https://a..b/",
    "https://" + "a" * 2048,
    "https://ex ample.com/",
    "https://example.com/#a",
    "javascript:alert(1)",
    "https://[not-an-address]/",
]


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_no_connection_reaches_loopback(canary, scheme):
    """Refused when it is registered, and refused again when it is called as if it had been
    registered.
    """
    for pattern in URLS:
        url = pattern.replace("{scheme}", scheme).replace("{port}", str(canary.port))
        with case(pattern):
            async with client(**NAMES) as guarded:
                assert await guarded.refusal(url), "refused at registration"
                answer = await guarded.post(url, body=b"{}", headers={})
            assert isinstance(answer.result, NoReply)
            assert canary.connections == 0


@pytest.mark.parametrize("url", OTHERS)
async def test_what_is_no_address_for_a_webhook_is_refused(url):
    async with client() as guarded:
        assert await guarded.refusal(url)
        assert isinstance((await guarded.post(url, body=b"", headers={})).result, NoReply)


def refused(at):
    return metrics.WEBHOOK_REFUSED.labels(at)._value.get()


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_name_that_is_bound_to_another_address_later_is_refused_at_connect(canary, scheme):
    before = refused("connect")
    async with client(rebinding_test=[[PUBLIC], [LOOPBACK]]) as guarded:
        url = f"{scheme}://rebinding.test:{canary.port}/"
        assert await guarded.refusal(url) == (None if scheme == "https" else "must be https")
        answer = await guarded.post(url, body=b"{}", headers={})
    assert answer.result == NoReply("refused: the URL leads to an address that is not public")
    assert canary.connections == 0
    assert refused("connect") == before + 1


async def test_a_redirect_is_a_failure_and_leads_nowhere(canary):
    location = f"http://127.0.0.1:{canary.port}/".encode()
    answers = (
        b"HTTP/1.1 302 Found\r\nLocation: "
        + location
        + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    )
    async with (
        Canary(answers).listening() as receiver,
        client(allowed_from("hooks.test"), hooks_test=[[LOOPBACK]]) as guarded,
    ):
        answer = await guarded.post(f"http://hooks.test:{receiver.port}/", body=b"{}", headers={})
        assert answer.result == Reply(302)
        assert (receiver.connections, canary.connections) == (1, 0)


@pytest.mark.parametrize("host", [LOOPBACK, "localhost", "loop.test", "[::ffff:127.0.0.1]"])
async def test_the_setting_opens_what_it_names(canary, host):
    """Also shows that the canary would have counted."""
    async with client(OPEN, **NAMES) as guarded:
        url = f"http://{host}:{canary.port}/"
        assert await guarded.refusal(url) is None
        answer = await guarded.post(url, body=b"{}", headers={})
        assert answer.result == Reply(200, None, "ok")
        assert canary.connections == 1
        assert await guarded.refusal(f"http://10.0.0.1:{canary.port}/")


async def test_a_named_host_is_opened_and_no_other_name_of_its_address(canary):
    async with client(allowed_from("hooks.test"), hooks_test=[[LOOPBACK]], **NAMES) as guarded:
        assert await guarded.refusal(f"http://hooks.test:{canary.port}/") is None
        for host in (LOOPBACK, "loop.test", "evil.hooks.test", "hooks.test.example.com"):
            answer = await guarded.post(f"http://{host}:{canary.port}/", body=b"{}", headers={})
            assert isinstance(answer.result, NoReply)
        assert canary.connections == 0


async def test_no_proxy_of_the_environment_is_used(canary, monkeypatch):
    for name in (
        "http_proxy",
        "https_proxy",
        "all_proxy",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
    ):
        monkeypatch.setenv(name, f"http://127.0.0.1:{canary.port}")
    async with client(rebinding_test=[[LOOPBACK]]) as guarded:
        for scheme in ("http", "https"):
            answer = await guarded.post(f"{scheme}://rebinding.test/", body=b"{}", headers={})
            assert isinstance(answer.result, NoReply)
    assert canary.connections == 0


@pytest.mark.parametrize(
    "url",
    [
        "https://public.test/",
        "https://public.test:8443/hook?token=1",
        f"https://{PUBLIC}/",
        "https://nowhere.invalid/",
        "https://bücher.test/",
        "https://[2606:2800:21f:cb07:6820:80da:af6b:8b2c]/",
        "HTTPS://PUBLIC.TEST/",
    ],
)
async def test_public_addresses_are_accepted_and_names_that_do_not_resolve_yet(url):
    names = {"public_test": [[PUBLIC]], "xn--bcher-kva_test": [[PUBLIC]], "nowhere_invalid": [[]]}
    async with client(**names) as guarded:
        assert await guarded.refusal(url) is None


async def test_without_tls_a_public_address_is_refused():
    async with client(public_test=[[PUBLIC]]) as guarded:
        assert await guarded.refusal("http://public.test/") == "must be https"


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("", True),
        ("127.0.0.0/8, ::1/128", True),
        ("10.1.2.3,hooks.internal", True),
        ("10.0.0.1/8", True),
        ("10.0.0.0/33", False),
        ("http://hooks", False),
        ("300.1.1.1", False),
        ("a b", False),
        ("*", False),
    ],
)
def test_the_setting(text, good):
    if good:
        allowed_from(text)
    else:
        with pytest.raises(ValueError, match="neither a network nor a host"):
            allowed_from(text)
