"""Handlers of the sandbox's pages: what test keys sent, as its recipients would have got it."""

from aiohttp import web

from notistream.console.shell.query import address, asked
from notistream.console.shell.rendering import framed, page
from notistream.console.tenants.choice import choice, id_of
from notistream.db import sandbox
from notistream.db.sandbox import SandboxMessage
from notistream.errors import NotFound
from notistream.web.server.context import RUNTIME

SIZE = 50
REFRESH_S = 3


async def show_many(request: web.Request) -> web.Response:
    query = asked(request.query)
    before, recipient, channel, wanted = (
        query.cursor("before"),
        query.text("recipient"),
        query.channel(),
        query.text("tenant"),
    )
    query.check()
    chosen = await choice(request, wanted)
    found = (
        []
        if chosen.tenant is None
        else await sandbox.list_page(
            request.app[RUNTIME].database,
            chosen.tenant.id,
            before=before,
            recipient=recipient,
            channel=channel,
            limit=SIZE + 1,
        )
    )
    given = {"tenant": wanted, "recipient": recipient, "channel": channel}
    older = address("", {**given, "before": found[SIZE - 1].id}) if len(found) > SIZE else None
    return page(
        request,
        "sandbox/list.html",
        chosen=chosen,
        messages=found[:SIZE],
        given=given,
        older=older,
        first=address("/console/sandbox", given) if before else True,
        refresh_s=0 if before else REFRESH_S,
    )


async def show(request: web.Request) -> web.Response:
    return page(
        request,
        "sandbox/message.html",
        message=await _message(request),
        tenant=id_of(request, "tenant_id"),
    )


async def show_html(request: web.Request) -> web.Response:
    """What the tenant wrote, for the frame of the message's page."""
    message = await _message(request)
    if message.html is None:
        raise NotFound("this message has no HTML")
    return framed(message.html)


async def _message(request: web.Request) -> SandboxMessage:
    found = await sandbox.get(
        request.app[RUNTIME].database, id_of(request, "tenant_id"), id_of(request)
    )
    if found is None:
        raise NotFound("there is no such message; the sandbox keeps each for a week")
    return found
