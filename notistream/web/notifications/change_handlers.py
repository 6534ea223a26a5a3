"""Handlers of changes of accepted notifications."""

from functools import partial

from aiohttp import web

from notistream.sending.changes import Resolution
from notistream.web.notifications import change_bodies as bodies
from notistream.web.notifications import change_views as views
from notistream.web.notifications.views import notification
from notistream.web.server.body import parse, read_body, refuse_body
from notistream.web.server.context import CALLER, RUNTIME
from notistream.web.server.idempotency import once
from notistream.web.server.paths import path_id
from notistream.web.server.respond import answer


async def recall(request: web.Request) -> web.Response:
    wanted = bodies.selection(parse(bodies.RECALL, await read_body(request)))
    return answer(
        views.recalled(await request.app[RUNTIME].changes.recall(request[CALLER].tenant_id, wanted))
    )


async def reschedule(request: web.Request) -> web.Response:
    notification_id = path_id(request)
    wanted = bodies.schedule(parse(bodies.RESCHEDULE, await read_body(request)))
    stored = await request.app[RUNTIME].changes.reschedule(
        request[CALLER].tenant_id, notification_id, wanted
    )
    return answer(notification(stored))


async def resolve(request: web.Request) -> web.Response:
    notification_id = path_id(request)
    wanted = Resolution(parse(bodies.RESOLVE, await read_body(request))["outcome"])
    stored = await request.app[RUNTIME].changes.resolve(
        request[CALLER].tenant_id, notification_id, wanted
    )
    return answer(notification(stored))


async def resend(request: web.Request) -> web.Response:
    notification_id = path_id(request)
    await refuse_body(request)
    # The id stands for the body, which says nothing: so a key is of one notification.
    return await once(request, notification_id.bytes, partial(_resend, request))


async def _resend(request: web.Request) -> web.Response:
    stored = await request.app[RUNTIME].changes.resend(request[CALLER], path_id(request))
    return answer(notification(stored), status=202, location=f"/api/v1/notifications/{stored.id}")
