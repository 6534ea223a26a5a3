"""Handlers of the sandbox: messages of test keys as their recipients would have got them."""

from aiohttp import web

from notistream.console.shell.query import read_fields, url
from notistream.console.shell.rendering import framed, page
from notistream.console.tenants.lookup import shown_tenant
from notistream.db import sandbox
from notistream.db.sandbox import SandboxMessage
from notistream.errors import NotFound
from notistream.web.server.context import RUNTIME
from notistream.web.server.paths import path_id

SIZE = 50
REFRESH_S = 3


async def show_many(request: web.Request) -> web.Response:
    query = read_fields(request.query)
    before, recipient = query.cursor("before"), query.text("recipient")
    channel, tenant = query.channel(), query.text("tenant")
    query.check()
    chosen = await shown_tenant(request, tenant)
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
    given = {"tenant": tenant, "recipient": recipient, "channel": channel}
    older = url("", {**given, "before": found[SIZE - 1].id}) if len(found) > SIZE else None
    return page(
        request,
        "sandbox/list.html",
        chosen=chosen,
        messages=found[:SIZE],
        given=given,
        older=older,
        first=url("/console/sandbox", given) if before else True,
        refresh_s=0 if before else REFRESH_S,
    )


async def show(request: web.Request) -> web.Response:
    return page(
        request,
        "sandbox/message.html",
        message=await _message(request),
        tenant=path_id(request, "tenant_id"),
    )


async def show_html(request: web.Request) -> web.Response:
    """The HTML of a message, for a frame."""
    message = await _message(request)
    if message.html is None:
        raise NotFound("this message has no HTML")
    return framed(message.html)


async def _message(request: web.Request) -> SandboxMessage:
    found = await sandbox.get(
        request.app[RUNTIME].database, path_id(request, "tenant_id"), path_id(request)
    )
    if found is None:
        raise NotFound("there is no such message; the sandbox keeps messages for a week")
    return found
