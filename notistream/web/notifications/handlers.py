"""Handlers of notifications and their batches."""

from collections.abc import Mapping
from functools import partial
from uuid import UUID

from aiohttp import web

from notistream.db import batches, notifications
from notistream.db.notifications import Filter
from notistream.db.records import StoredNotification
from notistream.domain.notification import Status
from notistream.errors import NotFound, NotiStreamError
from notistream.sending.acceptance import Caller
from notistream.web.notifications import rendering
from notistream.web.notifications.bodies import BATCH, CREATE, draft, drafts
from notistream.web.notifications.views import NotificationView, Problem
from notistream.web.server import problems
from notistream.web.server.body import large_body, parse, read_body
from notistream.web.server.context import CALLER, LARGE_BODIES, RUNTIME, own
from notistream.web.server.idempotency import once
from notistream.web.server.query import Query
from notistream.web.server.respond import answer

STATUS_WORDS: Mapping[str, tuple[str, ...]] = {
    **{status.value: (status.value,) for status in Status},
    "queued": (Status.PENDING.value,),
    "dropped": (Status.SUPPRESSED.value, Status.EXPIRED.value),
}


def path_id(request: web.Request) -> UUID:
    """The id in the path; what is not a UUID does not exist."""
    try:
        return UUID(request.match_info["id"])
    except ValueError:
        raise NotFound(f"there is nothing at {request.path[:200]}") from None


async def create(request: web.Request) -> web.Response:
    body = await read_body(request)
    return await once(request, body, partial(_create, request, body))


async def _create(request: web.Request, body: bytes) -> web.Response:
    wanted = draft(parse(CREATE, body))
    stored = await request.app[RUNTIME].notifications.create(wanted, request[CALLER])
    return answer(
        rendering.notification(stored), status=202, location=f"/api/v1/notifications/{stored.id}"
    )


async def create_batch(request: web.Request) -> web.Response:
    async with large_body(request, request.app[LARGE_BODIES]) as body:
        return await once(request, body, partial(_create_batch, request, body))


async def _create_batch(request: web.Request, body: bytes) -> web.Response:
    query, sender = Query(request.query), request[CALLER]
    atomic = query.switch("atomic")
    query.check()
    result = await request.app[RUNTIME].notifications.create_batch(
        drafts(parse(BATCH, body)), sender, atomic=atomic
    )
    items = [_item(item, index=index, sender=sender) for index, item in enumerate(result.items)]
    return answer(
        {"batch": rendering.batch(result.batch), "notifications": items},
        status=202,
        location=f"/api/v1/batches/{result.batch.id}",
    )


def _item(
    item: StoredNotification | NotiStreamError, *, index: int, sender: Caller
) -> NotificationView | Problem:
    if isinstance(item, StoredNotification):
        return rendering.notification(item)
    trace_id = problems.trace_id(sender.correlation_id, sender.traceparent)
    return problems.problem(item, trace_id=trace_id, below=f"/notifications/{index}")


async def show(request: web.Request) -> web.Response:
    stored = await request.app[RUNTIME].notifications.get(
        request[CALLER].tenant_id, path_id(request)
    )
    return answer(rendering.notification(stored))


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
            "data": [rendering.notification(stored) for stored in page.notifications],
            "next_cursor": page.older,
        }
    )


async def cancel(request: web.Request) -> web.Response:
    stored = await request.app[RUNTIME].notifications.cancel(
        request[CALLER].tenant_id, path_id(request)
    )
    return answer(rendering.notification(stored))


async def trace(request: web.Request) -> web.Response:
    found = await request.app[RUNTIME].notifications.trace(
        request[CALLER].tenant_id, path_id(request)
    )
    return answer(rendering.trace(found))


async def show_batch(request: web.Request) -> web.Response:
    batch_id = path_id(request)
    stored = await batches.get(own(request), request[CALLER].tenant_id, batch_id)
    if stored is None:
        raise NotFound(f"there is no batch {batch_id}")
    return answer(rendering.batch(stored))
