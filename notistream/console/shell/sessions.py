"""The door of the console: who is signed in, what they may do, and whether a form comes from a page of ours."""

import logging
import re
from urllib.parse import urlencode, urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler
from multidict import MultiDict

from notistream.access.operators import Operator
from notistream.console.shell.rendering import OPERATOR, SAFE, page, refusal
from notistream.errors import Forbidden, NotiStreamError
from notistream.web.server.body import read_form
from notistream.web.server.context import RUNTIME

log = logging.getLogger(__name__)

COOKIE = "notistream_console"
FORM = web.RequestKey("notistream_form", MultiDict[str])
LOOKING = ("GET", "HEAD")
TOKEN_FIELD = "form_token"  # noqa: S105 - a name
PATH = re.compile(r"/console(?:[/?][^\\\s]*)?\Z")


async def serve(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer for a page of the console; its errors are pages too."""
    try:
        operator = request.app[RUNTIME].operators.verify(request.cookies.get(COOKIE))
        if operator is None:
            return _to_sign_in(request)
        request[OPERATOR] = operator
        if request.method not in LOOKING:
            await _check_action(request, operator)
        return await handler(request)
    except NotiStreamError as exc:
        return refusal(request, exc)
    except web.HTTPException:
        raise
    except Exception:
        log.exception("a page of the console failed", extra={"route": request.path})
        return refusal(request, NotiStreamError())


async def _check_action(request: web.Request, operator: Operator) -> None:
    """Only an operator, from a form of this session, on a page of this host."""
    check_origin(request)
    request[FORM] = form = await read_form(request)
    if not request.app[RUNTIME].operators.is_form_token(operator, form.get(TOKEN_FIELD, "")):
        raise Forbidden(
            "this form is not of your session; load the page again and repeat what you did"
        )
    if not operator.may_act and request.path != "/console/sign-out":
        raise Forbidden(f"{operator.name} may look, but not act")


def check_origin(request: web.Request) -> None:
    """Raises Forbidden where a form was sent from another site, or by something that does not say from where."""
    origin = request.headers.get("Origin", "")
    if not origin or urlsplit(origin).netloc != request.host:
        raise Forbidden("this form was not sent from a page of this console")


def _to_sign_in(request: web.Request) -> web.Response:
    """A link from elsewhere brings no cookie along (SameSite=Strict).

    The same page asked for by ours does.
    """
    here = request.rel_url.path_qs if request.method in LOOKING else "/console"
    if request.headers.get("Sec-Fetch-Site") == "cross-site" and request.method in LOOKING:
        return page(request, "shell/again.html", again=here)
    return web.Response(
        status=303, headers={**SAFE, "Location": f"/console/sign-in?{urlencode({'next': here})}"}
    )


def wanted_page(given: str | None) -> str:
    """Where to go after signing in: a page of ours, whatever was asked for."""
    return given if given and PATH.match(given) else "/console"
