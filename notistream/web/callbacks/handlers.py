"""Vendors' callbacks over HTTP: the body goes to the provider as it came."""

from aiohttp import web

from notistream.providers.api import Callback
from notistream.web.server.body import read_raw
from notistream.web.server.context import RUNTIME
from notistream.web.server.respond import no_content


async def receive(request: web.Request) -> web.Response:
    """No key: the vendor's signature is the credential."""
    callback = Callback(
        headers=request.headers,
        body=await read_raw(request),
        query=request.raw_path.partition("?")[2],
    )
    await request.app[RUNTIME].receipts.receive(request.match_info["provider"], callback)
    return no_content()
