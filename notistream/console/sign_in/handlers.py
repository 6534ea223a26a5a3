"""Handlers of signing in and out."""

from urllib.parse import urlsplit

from aiohttp import web

from notistream.access.operators import SESSION_S
from notistream.console.shell.rendering import SAFE, is_https, page, refusal
from notistream.console.shell.sessions import COOKIE, check_origin, wanted_page
from notistream.errors import NotiStreamError, TooManyRequests, Unauthorized
from notistream.observability import metrics
from notistream.settings.model import LOOPBACK
from notistream.web.server.body import read_form
from notistream.web.server.context import RUNTIME


async def ask(request: web.Request) -> web.Response:
    """The form. An open console signs in at once, but only under a loopback name.

    Another name may be DNS rebinding.
    """
    operators, to = request.app[RUNTIME].operators, wanted_page(request.query.get("next"))
    if operators.is_open and urlsplit(f"//{request.host}").hostname in LOOPBACK:
        return _start_session(request, operators.sign_in_local(), to)
    return page(request, "sign_in/sign_in.html", to=to, wrong=None)


async def sign_in(request: web.Request) -> web.Response:
    """Sign in with a token; an address with many wrong tokens has to wait."""
    operators, to = request.app[RUNTIME].operators, "/console"
    try:
        check_origin(request)
        form = await read_form(request)
        to = wanted_page(form.get("next"))
        session = operators.sign_in(form.get("token", "").strip())
    except Unauthorized:
        try:
            operators.failed_logins.count(request.remote)
        except TooManyRequests as exc:
            metrics.KEYS_GUESSED.inc()
            return refusal(request, exc)
        return page(
            request, "sign_in/sign_in.html", status=401, to=to, wrong="This token is not known."
        )
    except NotiStreamError as exc:
        return refusal(request, exc)
    return _start_session(request, session, to)


async def sign_out(_request: web.Request) -> web.Response:
    response = web.Response(status=303, headers={**SAFE, "Location": "/console/sign-in"})
    response.del_cookie(COOKIE, path="/console")
    return response


def _start_session(request: web.Request, session: str, to: str) -> web.Response:
    response = web.Response(status=303, headers={**SAFE, "Location": to})
    response.set_cookie(
        COOKIE,
        session,
        path="/console",
        max_age=SESSION_S,
        httponly=True,
        samesite="Strict",
        secure=is_https(request),
    )
    return response
