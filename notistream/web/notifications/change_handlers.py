"""Handlers of what is done to accepted notifications, of previews, and of pauses."""

from functools import partial

from aiohttp import web

from notistream.db.audit_log import ADMIN
from notistream.db.pauses import Pause
from notistream.sending.changes import Resolution
from notistream.web.dead_letters.views import NOTHING
from notistream.web.notifications import change_views as views
from notistream.web.notifications import rendering
from notistream.web.notifications.bodies import CREATE, draft
from notistream.web.notifications.handlers import path_id
from notistream.web.server.body import parse, read_body
from notistream.web.server.context import CALLER, RUNTIME
from notistream.web.server.idempotency import once
from notistream.web.server.respond import answer


async def preview(request: web.Request) -> web.Response:
    wanted = draft(parse(CREATE, await read_body(request)))
    return answer(
        views.preview(await request.app[RUNTIME].previews.preview(wanted, request[CALLER]))
    )


async def recall(request: web.Request) -> web.Response:
    wanted = views.selection(parse(views.RECALL, await read_body(request)))
    return answer(
        views.recalled(await request.app[RUNTIME].changes.recall(request[CALLER].tenant_id, wanted))
    )


async def cancel_batch(request: web.Request) -> web.Response:
    batch_id = path_id(request)
    await _read_nothing(request)
    stored = await request.app[RUNTIME].changes.cancel_batch(request[CALLER].tenant_id, batch_id)
    return answer(rendering.batch(stored))


async def reschedule(request: web.Request) -> web.Response:
    notification_id = path_id(request)
    wanted = views.schedule(parse(views.RESCHEDULE, await read_body(request)))
    stored = await request.app[RUNTIME].changes.reschedule(
        request[CALLER].tenant_id, notification_id, wanted
    )
    return answer(rendering.notification(stored))


async def resolve(request: web.Request) -> web.Response:
    notification_id = path_id(request)
    wanted = Resolution(parse(views.RESOLVE, await read_body(request))["outcome"])
    stored = await request.app[RUNTIME].changes.resolve(
        request[CALLER].tenant_id, notification_id, wanted
    )
    return answer(rendering.notification(stored))


async def resend(request: web.Request) -> web.Response:
    notification_id = path_id(request)
    await _read_nothing(request)
    # The id stands for the body, which says nothing: so a key is of one notification.
    return await once(request, notification_id.bytes, partial(_resend, request))


async def _resend(request: web.Request) -> web.Response:
    stored = await request.app[RUNTIME].changes.resend(request[CALLER], path_id(request))
    return answer(
        rendering.notification(stored), status=202, location=f"/api/v1/notifications/{stored.id}"
    )


async def show_pauses(request: web.Request) -> web.Response:
    return answer(views.pauses(await request.app[RUNTIME].pauses.current()))


async def pause(request: web.Request) -> web.Response:
    wanted, body = _named(request), b""
    if request.can_read_body:
        body = await read_body(request)
    reason = parse(views.PAUSE, body).get("reason", "") if body else ""
    return answer(
        views.pause(await request.app[RUNTIME].pauses.pause(wanted, actor=ADMIN, reason=reason))
    )


async def resume(request: web.Request) -> web.Response:
    paused = _named(request)
    released = await request.app[RUNTIME].pauses.resume(paused, actor=ADMIN)
    return answer({"channel": paused.channel, "provider": paused.provider, "released": released})


def _named(request: web.Request) -> Pause:
    """What the path means; raises NotFound."""
    return request.app[RUNTIME].pauses.named(
        request.match_info["channel"], request.match_info.get("provider")
    )


async def _read_nothing(request: web.Request) -> None:
    """A body may be left out; one that says something is refused."""
    if request.can_read_body and (body := await read_body(request)):
        parse(NOTHING, body)
