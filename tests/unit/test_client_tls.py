"""The client and its streams over TLS, with certificates of an authority of one's own."""

import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from notistream_client import NO_RETRIES, AsyncClient, Client, Unreachable
from tests.certificates import certificate
from tests.unit.test_client_streams import Script, message, sends, taken


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[tuple[str, ssl.SSLContext]]:
    """The address of a service, and what trusts it."""
    authority, leaf, key = certificate(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(leaf, key)
    script = Script(sends(message(1)))
    app = web.Application()
    app.router.add_get("/api/v1/inbox", script.list_inbox)
    app.router.add_get("/api/v1/inbox/stream", script.serve)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    yield (
        f"https://127.0.0.1:{runner.addresses[0][1]}",
        ssl.create_default_context(cafile=str(authority)),
    )
    await runner.cleanup()


async def test_an_authority_of_ones_own(service: tuple[str, ssl.SSLContext]) -> None:
    url, tls = service
    async with AsyncClient(url, tls=tls) as client:
        assert [one async for one in client.inbox.list("u")] == []
        assert await taken(client.streams.inbox("u"), 1) == [message(1)["id"]]
    async with AsyncClient(url, retries=NO_RETRIES) as stranger:
        with pytest.raises(Unreachable, match="certificate"):
            await stranger.inbox.list("u").page()
        with pytest.raises(Unreachable, match="certificate"):
            await anext(stranger.streams.statuses())


def test_without_tls_it_does_not_matter(tmp_path: Path) -> None:
    authority, _, _ = certificate(tmp_path)
    tls = ssl.create_default_context(cafile=str(authority))
    with (
        Client("http://127.0.0.1:1", tls=tls, retries=NO_RETRIES) as client,
        pytest.raises(Unreachable),
    ):
        client.notifications.figures()
