"""Handlers of the two WebSockets: a tenant's status updates, and a recipient's inbox."""

import asyncio
from uuid import UUID

from aiohttp import web

from notistream.errors import DatabaseUnavailable, FieldError, InvalidRequest, NotFound
from notistream.realtime.hub import Frames, InboxWakeup
from notistream.realtime.inbox import Inbox
from notistream.web.inbox import views
from notistream.web.server import sockets
from notistream.web.server.context import CALLER, READER, RUNTIME
from notistream.web.server.query import Query
from notistream.web.server.respond import dump
from notistream.web.server.ws_credentials import meant_recipient

PAGE = 100
DATABASE_RETRY_S = 1.0
FROM_THE_START = UUID(int=0)


async def statuses(request: web.Request) -> web.WebSocketResponse:
    """With a recipient's token only what concerns that recipient."""
    sockets.check(request)
    realtime, tenant_id = request.app[RUNTIME].realtime, request[CALLER].tenant_id
    recipient_id = request[READER].recipient_id if READER in request else None
    async with (
        realtime.place(tenant_id, "status"),
        realtime.statuses(tenant_id, recipient_id) as frames,
    ):
        socket = await sockets.accept(request)
        return await sockets.run(request, socket, _send_all(socket, frames), frames.overrun)


async def _send_all(socket: web.WebSocketResponse, frames: Frames) -> None:
    while True:
        await sockets.send(socket, await frames.next(), stream="status")


async def inbox(request: web.Request) -> web.WebSocketResponse:
    """Everything behind `since` from the database, then what comes.

    The events only say when to look.
    """
    query = Query(request.query)
    since = query.uuid("since")
    query.check()
    recipient_id = meant_recipient(request)
    sockets.check(request)
    realtime, tenant_id = request.app[RUNTIME].realtime, request[CALLER].tenant_id
    seq = await _place(realtime.inbox, tenant_id, recipient_id, since)
    async with (
        realtime.place(tenant_id, "inbox"),
        realtime.bell(tenant_id, recipient_id, seq=seq) as bell,
    ):
        socket = await sockets.accept(request)
        return await sockets.run(request, socket, _follow(socket, realtime.inbox, bell))


async def _place(inbox: Inbox, tenant_id: UUID, recipient_id: str, since: UUID | None) -> int:
    if since == FROM_THE_START:
        return 0
    try:
        return await inbox.place(tenant_id, recipient_id, since)
    except NotFound as exc:
        raise InvalidRequest([FieldError("/query/since", exc.detail)]) from None


async def _follow(socket: web.WebSocketResponse, inbox: Inbox, bell: InboxWakeup) -> None:
    tenant_id, recipient_id = bell.owner
    while True:
        try:
            page = await inbox.after(tenant_id, recipient_id, seq=bell.seq, limit=PAGE)
        except DatabaseUnavailable:
            await asyncio.sleep(DATABASE_RETRY_S)
            continue
        for message in page:
            await sockets.send(socket, dump(views.message(message)), stream="inbox")
            bell.seq = message.seq
        if len(page) < PAGE:
            await bell.wait()
