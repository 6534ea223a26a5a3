"""Handlers of notifications."""

from collections.abc import Mapping
from functools import partial

from aiohttp import web

from notistream.db import notifications
from notistream.db.notifications import Filter
from notistream.domain.notification import Status
from notistream.web.notifications import trace_views, views
from notistream.web.notifications.bodies import CREATE, draft
from notistream.web.server.body import parse, read_body
from notistream.web.server.context import CALLER, RUNTIME, own
from notistream.web.server.idempotency import once
from notistream.web.server.paths import path_id
from notistream.web.server.query import Query
from notistream.web.server.respond import answer

STATUS_WORDS: Mapping[str, tuple[str, ...]] = {
    **{status.value: (status.value,) for status in Status},
    "queued": (Status.PENDING.value,),
    "dropped": (Status.SUPPRESSED.value, Status.EXPIRED.value),
}


async def create(request: web.Request) -> web.Response:
    body = await read_body(request)
    return await once(request, body, partial(_create, request, body))


async def _create(request: web.Request, body: bytes) -> web.Response:
    wanted = draft(parse(CREATE, body))
    stored = await request.app[RUNTIME].notifications.create(wanted, request[CALLER])
    return answer(
        views.notification(stored), status=202, location=f"/api/v1/notifications/{stored.id}"
    )


async def show(request: web.Request) -> web.Response:
    stored = await request.app[RUNTIME].notifications.get(
        request[CALLER].tenant_id, path_id(request)
    )
    return answer(views.notification(stored))


async def show_many(request: web.Request) -> web.Response:
    query = Query(request.query)
    size = query.page_size()
    shown = Filter(
        before=query.cursor(),
        statuses=query.words("status", STATUS_WORDS),
        channel=query.channel(),
        recipient=query.text("recipient"),
        recipient_id=query.text("recipient_id"),
        batch_id=query.uuid("batch_id"),
        template=query.text("template"),
        date_from=query.moment("date_from"),
        date_to=query.moment("date_to"),
    )
    query.check()
    page = await notifications.list_page(own(request), request[CALLER].tenant_id, shown, limit=size)
    return answer(
        {
            "data": [views.notification(stored) for stored in page.notifications],
            "next_cursor": page.older,
        }
    )


async def cancel(request: web.Request) -> web.Response:
    stored = await request.app[RUNTIME].notifications.cancel(
        request[CALLER].tenant_id, path_id(request)
    )
    return answer(views.notification(stored))


async def trace(request: web.Request) -> web.Response:
    found = await request.app[RUNTIME].notifications.trace(
        request[CALLER].tenant_id, path_id(request)
    )
    return answer(trace_views.trace(found))
