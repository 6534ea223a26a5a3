"""The pages behind List-Unsubscribe: GET asks and changes nothing, POST unsubscribes.

No login, only a signed link.
"""

import asyncio
from html import escape

from aiohttp import web

from notistream.delivery.unsubscribe import OptOut
from notistream.errors import BodyTooLarge, BodyTooSlow, FieldError, InvalidRequest
from notistream.recipients.unsubscribe import unsubscribe
from notistream.web.server.context import RUNTIME
from notistream.web.server.route import Route

MAX_BODY = 4096
TIMEOUT_S = 10.0
SAFE = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "X-Robots-Tag": "noindex",
}
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title><link rel="stylesheet" href="/docs/assets/docs.css"></head>
<body class="page"><main><h1>{title}</h1>{text}</main></body></html>"""
NOTICE = "You will get no more e-mail of the kind <strong>{category}</strong> from this sender."
ASK = f"""<p>{NOTICE}</p>
<form method="post"><input type="hidden" name="List-Unsubscribe" value="One-Click">
<button type="submit">Unsubscribe</button></form>"""
DONE = f"""<p role="status">{NOTICE}</p>"""
GONE = "<p>This link is not valid. Perhaps it was cut off: copy it whole from the message.</p>"


async def ask(request: web.Request) -> web.Response:
    wanted = _wanted(request)
    return _not_found() if wanted is None else _page("Unsubscribe", ASK, category=wanted.category)


async def take_back(request: web.Request) -> web.Response:
    wanted = _wanted(request)
    if wanted is None:
        return _not_found()
    body = await _body(request)
    if body.strip() and b"One-Click" not in body:
        raise InvalidRequest(
            [FieldError("", "must be the form List-Unsubscribe=One-Click, or empty")]
        )
    await unsubscribe(request.app[RUNTIME].database.of(wanted.tenant_id), wanted)
    return _page("You are unsubscribed", DONE, category=wanted.category)


def _wanted(request: web.Request) -> OptOut | None:
    return request.app[RUNTIME].unsubscribe.read(request.match_info["token"])


async def _body(request: web.Request) -> bytes:
    """The form that mail programs send, urlencoded or multipart.

    It says nothing that the link does not.
    """
    body = bytearray()
    try:
        async with asyncio.timeout(TIMEOUT_S):
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) > MAX_BODY:
                    raise BodyTooLarge(f"the body may have at most {MAX_BODY} bytes")
    except TimeoutError:
        raise BodyTooSlow(f"the body did not arrive within {TIMEOUT_S:g} s") from None
    return bytes(body)


def _page(title: str, text: str, *, category: str = "", status: int = 200) -> web.Response:
    shown = PAGE.format(title=title, text=text.format(category=escape(category)))
    return web.Response(
        text=shown, content_type="text/html", charset="utf-8", status=status, headers=SAFE
    )


def _not_found() -> web.Response:
    return _page("Not found", GONE, status=404)


# Pages for people and mail programs, not of the API: see docs/recipients.md.
UNSUBSCRIBE = (
    Route(method="GET", path="/unsubscribe/{token}", handler=ask, public=True),
    Route(method="POST", path="/unsubscribe/{token}", handler=take_back, public=True),
)
