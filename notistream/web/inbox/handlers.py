"""Handlers of inboxes and of the tokens that let recipients see theirs."""

from aiohttp import web

from notistream.db import inbox
from notistream.domain.validation import recipient_id_error
from notistream.errors import NotFound
from notistream.web.inbox import views
from notistream.web.server.body import parse, read_body, refuse_body
from notistream.web.server.context import CALLER, RUNTIME, own
from notistream.web.server.fields import refuse_wrong
from notistream.web.server.paths import path_id
from notistream.web.server.query import Query
from notistream.web.server.respond import answer, no_content
from notistream.web.server.ws_credentials import meant_recipient


async def issue_token(request: web.Request) -> web.Response:
    wanted = parse(views.WANTED_TOKEN, await read_body(request))
    refuse_wrong({"/recipient_id": recipient_id_error(wanted["recipient_id"])})
    ttl_s = wanted.get("ttl", views.TTL_S)
    token = request.app[RUNTIME].realtime.tokens.issue(
        request[CALLER].tenant_id, wanted["recipient_id"], ttl_s=ttl_s
    )
    return answer({"token": token, "expires_in": ttl_s})


async def show_many(request: web.Request) -> web.Response:
    """`limit` and `after_id` are other names of `page_size` and `cursor`."""
    query = Query(request.query)
    size, before = query.page_size("limit", "page_size"), query.cursor("after_id", "cursor")
    unread = query.switch("unread")
    query.check()
    found = await inbox.page(
        own(request),
        request[CALLER].tenant_id,
        meant_recipient(request),
        before=before,
        unread=unread,
        limit=size + 1,
    )
    return answer(views.inbox_page(found, size))


async def count_unread(request: web.Request) -> web.Response:
    count = await inbox.unread(own(request), request[CALLER].tenant_id, meant_recipient(request))
    return answer({"unread": count})


async def mark_read(request: web.Request) -> web.Response:
    await refuse_body(request)
    recipient_id, message_id = meant_recipient(request), path_id(request)
    if not await inbox.mark_read(own(request), request[CALLER].tenant_id, recipient_id, message_id):
        raise NotFound(f"there is no message {message_id} in this inbox")
    return no_content()


async def mark_all_read(request: web.Request) -> web.Response:
    await refuse_body(request)
    await inbox.mark_all_read(own(request), request[CALLER].tenant_id, meant_recipient(request))
    return no_content()
