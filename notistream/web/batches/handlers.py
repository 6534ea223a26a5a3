"""Handlers of batches."""

from functools import partial

from aiohttp import web

from notistream.db import batches
from notistream.db.records import StoredNotification
from notistream.errors import NotFound, NotiStreamError
from notistream.sending.acceptance import Caller
from notistream.web.batches import views
from notistream.web.batches.bodies import BATCH, drafts
from notistream.web.notifications.views import NotificationView, notification
from notistream.web.server import problems
from notistream.web.server.body import large_body, parse, refuse_body
from notistream.web.server.context import CALLER, LARGE_BODIES, RUNTIME, own
from notistream.web.server.idempotency import once
from notistream.web.server.paths import path_id
from notistream.web.server.problems import Problem
from notistream.web.server.query import Query
from notistream.web.server.respond import answer


async def create(request: web.Request) -> web.Response:
    async with large_body(request, request.app[LARGE_BODIES]) as body:
        return await once(request, body, partial(_create, request, body))


async def _create(request: web.Request, body: bytes) -> web.Response:
    query, sender = Query(request.query), request[CALLER]
    atomic = query.switch("atomic")
    query.check()
    result = await request.app[RUNTIME].notifications.create_batch(
        drafts(parse(BATCH, body)), sender, atomic=atomic
    )
    items = [_item(item, index=index, sender=sender) for index, item in enumerate(result.items)]
    return answer(
        {"batch": views.batch(result.batch), "notifications": items},
        status=202,
        location=f"/api/v1/batches/{result.batch.id}",
    )


def _item(
    item: StoredNotification | NotiStreamError, *, index: int, sender: Caller
) -> NotificationView | Problem:
    if isinstance(item, StoredNotification):
        return notification(item)
    trace_id = problems.trace_id(sender.correlation_id, sender.traceparent)
    return problems.problem(item, trace_id=trace_id, below=f"/notifications/{index}")


async def show(request: web.Request) -> web.Response:
    batch_id = path_id(request)
    stored = await batches.get(own(request), request[CALLER].tenant_id, batch_id)
    if stored is None:
        raise NotFound(f"there is no batch {batch_id}")
    return answer(views.batch(stored))


async def cancel(request: web.Request) -> web.Response:
    batch_id = path_id(request)
    await refuse_body(request)
    stored = await request.app[RUNTIME].changes.cancel_batch(request[CALLER].tenant_id, batch_id)
    return answer(views.batch(stored))
