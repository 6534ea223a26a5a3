"""Access to the console: who is signed in, what they may do, and where a form comes from."""

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
SAFE_METHODS = ("GET", "HEAD")
TOKEN_FIELD = "form_token"  # noqa: S105 - a name
PATH = re.compile(r"/console(?:[/?][^\\\s]*)?\Z")


async def serve(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer a request to the console; errors become pages too."""
    try:
        operator = request.app[RUNTIME].operators.verify(request.cookies.get(COOKIE))
        if operator is None:
            return _to_sign_in(request)
        request[OPERATOR] = operator
        if request.method not in SAFE_METHODS:
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
    """Raises Forbidden unless an operator who may act sends a form of this session and host."""
    check_origin(request)
    request[FORM] = form = await read_form(request)
    if not request.app[RUNTIME].operators.is_form_token(operator, form.get(TOKEN_FIELD, "")):
        raise Forbidden(
            "this form is not from your session; load the page again and repeat the action"
        )
    if not operator.may_act and request.path != "/console/sign-out":
        raise Forbidden(f"{operator.name} has read-only access")


def check_origin(request: web.Request) -> None:
    """Raises Forbidden where a form comes from another site, or hides where it comes from."""
    origin = request.headers.get("Origin", "")
    if not origin or urlsplit(origin).netloc != request.host:
        raise Forbidden("this form was not sent from a page of this console")


def _to_sign_in(request: web.Request) -> web.Response:
    """Redirect to sign in.

    A link on another site sends no cookie (SameSite=Strict), so its target is loaded once more
    from a page of this site.
    """
    here = request.rel_url.path_qs if request.method in SAFE_METHODS else "/console"
    if request.headers.get("Sec-Fetch-Site") == "cross-site" and request.method in SAFE_METHODS:
        return page(request, "shell/again.html", again=here)
    return web.Response(
        status=303, headers={**SAFE, "Location": f"/console/sign-in?{urlencode({'next': here})}"}
    )


def wanted_page(given: str | None) -> str:
    """Where to go after signing in: always a page of the console."""
    return given if given and PATH.match(given) else "/console"
