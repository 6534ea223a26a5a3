"""Handlers of pauses, for operators."""

from aiohttp import web

from notistream.db.audit_log import ADMIN
from notistream.db.pauses import Pause
from notistream.web.pauses import views
from notistream.web.pauses.bodies import PAUSE
from notistream.web.server.body import parse, read_body
from notistream.web.server.context import RUNTIME
from notistream.web.server.respond import answer


async def show_pauses(request: web.Request) -> web.Response:
    return answer(views.pauses(await request.app[RUNTIME].pauses.current()))


async def pause(request: web.Request) -> web.Response:
    wanted, body = _named(request), b""
    if request.can_read_body:
        body = await read_body(request)
    reason = parse(PAUSE, body).get("reason", "") if body else ""
    return answer(
        views.pause(await request.app[RUNTIME].pauses.pause(wanted, actor=ADMIN, reason=reason))
    )


async def resume(request: web.Request) -> web.Response:
    paused = _named(request)
    released = await request.app[RUNTIME].pauses.resume(paused, actor=ADMIN)
    return answer({"channel": paused.channel, "provider": paused.provider, "released": released})


def _named(request: web.Request) -> Pause:
    """Return the channel or provider in the path; raises NotFound."""
    return request.app[RUNTIME].pauses.named(
        request.match_info["channel"], request.match_info.get("provider")
    )
