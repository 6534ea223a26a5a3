"""Handlers of the two WebSockets: a tenant's status updates, and a recipient's inbox."""

import asyncio
from uuid import UUID

from aiohttp import web

from notistream.db import inbox
from notistream.db.pool import TenantDatabase
from notistream.errors import DatabaseUnavailable, FieldError, InvalidRequest
from notistream.realtime.hub import Frames, InboxWakeup
from notistream.web.inbox import views
from notistream.web.server import sockets
from notistream.web.server.context import CALLER, RECIPIENT_TOKEN, RUNTIME, own
from notistream.web.server.query import Query
from notistream.web.server.respond import dump
from notistream.web.server.ws_credentials import meant_recipient

PAGE = 100
DATABASE_RETRY_S = 1.0
FROM_THE_START = UUID(int=0)


async def statuses(request: web.Request) -> web.WebSocketResponse:
    """Send the tenant's events; with a recipient's token, only those of that recipient."""
    sockets.check(request)
    realtime, tenant_id = request.app[RUNTIME].realtime, request[CALLER].tenant_id
    recipient_id = request[RECIPIENT_TOKEN].recipient_id if RECIPIENT_TOKEN in request else None
    async with (
        realtime.admit(tenant_id, "status"),
        realtime.statuses(tenant_id, recipient_id) as frames,
    ):
        socket = await sockets.accept(request)
        return await sockets.run(request, socket, _send_all(socket, frames), frames.overrun)


async def _send_all(socket: web.WebSocketResponse, frames: Frames) -> None:
    while True:
        await sockets.send(socket, await frames.next(), stream="status")


async def follow_inbox(request: web.Request) -> web.WebSocketResponse:
    """Send every message after `since`, then each new one.

    Messages always come from the database; events only say when to read it again.
    """
    query = Query(request.query)
    since = query.uuid("since")
    query.check()
    recipient_id = meant_recipient(request)
    sockets.check(request)
    realtime, tenant_id = request.app[RUNTIME].realtime, request[CALLER].tenant_id
    database = own(request)
    seq = await _start(database, tenant_id, recipient_id, since)
    async with (
        realtime.admit(tenant_id, "inbox"),
        realtime.wakeup(tenant_id, recipient_id, seq=seq) as wakeup,
    ):
        socket = await sockets.accept(request)
        return await sockets.run(request, socket, _send_new(socket, database, wakeup))


async def _start(
    database: TenantDatabase, tenant_id: UUID, recipient_id: str, since: UUID | None
) -> int:
    """The sequence number after which to send; raises InvalidRequest for an unknown message."""
    if since == FROM_THE_START:
        return 0
    if since is None:
        return await inbox.last_seq(database, tenant_id, recipient_id)
    seq = await inbox.seq_of(database, tenant_id, recipient_id, since)
    if seq is None:
        raise InvalidRequest(
            [FieldError("/query/since", f"there is no message {since} in this inbox")]
        )
    return seq


async def _send_new(
    socket: web.WebSocketResponse, database: TenantDatabase, wakeup: InboxWakeup
) -> None:
    tenant_id, recipient_id = wakeup.owner
    while True:
        try:
            page = await inbox.after(database, tenant_id, recipient_id, seq=wakeup.seq, limit=PAGE)
        except DatabaseUnavailable:
            await asyncio.sleep(DATABASE_RETRY_S)
            continue
        for message in page:
            await sockets.send(socket, dump(views.message(message)), stream="inbox")
            wakeup.seq = message.seq
        if len(page) < PAGE:
            await wakeup.wait()
