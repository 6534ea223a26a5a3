"""Handlers of signing in and out."""

from urllib.parse import urlsplit

from aiohttp import web

from notistream.access.operators import SESSION_S
from notistream.console.rendering import SAFE, is_https, page, refusal
from notistream.console.sessions import COOKIE, check_origin, wanted_page
from notistream.errors import NotiStreamError, TooManyRequests, Unauthorized
from notistream.observability import metrics
from notistream.settings.model import LOOPBACK
from notistream.web.server.body import read_form
from notistream.web.server.context import RUNTIME


async def ask(request: web.Request) -> web.Response:
    """The form; where the console is open, straight in.

    Only by a name of this machine: others may be a trick.
    """
    operators, to = request.app[RUNTIME].operators, wanted_page(request.query.get("next"))
    if operators.is_open and urlsplit(f"//{request.host}").hostname in LOOPBACK:
        return _let_in(request, operators.sign_in_local(), to)
    return page(request, "sign_in.html", to=to, wrong=None)


async def enter(request: web.Request) -> web.Response:
    """Sign in with a token; an address that tries many wrong ones is told to wait."""
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
        return page(request, "sign_in.html", status=401, to=to, wrong="This token is not known.")
    except NotiStreamError as exc:
        return refusal(request, exc)
    return _let_in(request, session, to)


async def leave(_request: web.Request) -> web.Response:
    response = web.Response(status=303, headers={**SAFE, "Location": "/console/sign-in"})
    response.del_cookie(COOKIE, path="/console")
    return response


def _let_in(request: web.Request, session: str, to: str) -> web.Response:
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
