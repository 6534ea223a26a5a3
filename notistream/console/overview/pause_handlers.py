"""Handlers that pause and resume a channel or a provider; their forms are on the overview."""

from aiohttp import web
from multidict import MultiDict

from notistream.console.shell.rendering import OPERATOR, done
from notistream.console.shell.sessions import FORM
from notistream.db.pauses import Pause
from notistream.web.server.context import RUNTIME

OVERVIEW = "/console"


async def pause(request: web.Request) -> web.Response:
    """Pause what the form names."""
    form = request[FORM]
    stored = await request.app[RUNTIME].pauses.pause(
        _wanted(request, form), actor=request[OPERATOR].actor, reason=form.get("reason", "").strip()
    )
    return done(
        request,
        OVERVIEW,
        f"Paused {stored.pause}. Its messages wait. No message is lost and no attempt is used.",
    )


async def resume(request: web.Request) -> web.Response:
    """Resume what the form names."""
    wanted = _wanted(request, request[FORM])
    released = await request.app[RUNTIME].pauses.resume(wanted, actor=request[OPERATOR].actor)
    return done(request, OVERVIEW, f"Resumed {wanted}. Released messages: {released}.")


def _wanted(request: web.Request, form: MultiDict[str]) -> Pause:
    """The pause for `sms` or `sms/webhook`; raises NotFound for unknown names."""
    channel, _, provider = form.get("what", "").partition("/")
    return request.app[RUNTIME].pauses.named(channel, provider or None)
