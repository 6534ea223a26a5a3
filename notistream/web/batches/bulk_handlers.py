"""The handler of one message to many recipients."""

from functools import partial

from aiohttp import web

from notistream.db.records import StoredNotification
from notistream.errors import FieldError, InvalidRequest, NotiStreamError
from notistream.sending.acceptance import Caller
from notistream.web.batches import views
from notistream.web.batches.bulk_bodies import CREATE_BULK, OWN_FIELDS, drafts
from notistream.web.notifications.views import NotificationView, notification
from notistream.web.server import problems
from notistream.web.server.body import large_body, parse
from notistream.web.server.context import CALLER, LARGE_BODIES, RUNTIME
from notistream.web.server.idempotency import once
from notistream.web.server.problems import Problem
from notistream.web.server.respond import answer


async def create_bulk(request: web.Request) -> web.Response:
    async with large_body(request, request.app[LARGE_BODIES]) as body:
        return await once(request, body, partial(_create_bulk, request, body))


async def _create_bulk(request: web.Request, body: bytes) -> web.Response:
    sender = request[CALLER]
    result = await request.app[RUNTIME].notifications.create_batch(
        drafts(parse(CREATE_BULK, body)), sender, atomic=False
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
    if isinstance(item, InvalidRequest):
        item = InvalidRequest(
            [FieldError(_place(e.pointer, index), e.message) for e in item.errors]
        )
    return problems.problem(
        item, trace_id=problems.trace_id(sender.correlation_id, sender.traceparent)
    )


def _place(pointer: str, index: int) -> str:
    """Return the pointer in the body: a fault of the shared message has no recipient's index."""
    own = pointer.startswith(OWN_FIELDS) and not pointer.startswith("/recipients/")
    return f"/recipients/{index}{pointer}" if own else pointer
