"""Pages: render a template into an answer with the security headers of the console."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import Any

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from notistream.access.operators import Operator
from notistream.console.shell import assets, formats, navigation
from notistream.domain.notification import CHANNELS, Priority, Status
from notistream.errors import NotiStreamError, TooManyRequests, Unavailable
from notistream.web.server.context import ROUTE_TABLE, RUNTIME

PAGES = Path(__file__).parents[1]
OPERATOR = web.RequestKey("notistream_operator", Operator)
FLASH = "notistream_flash"
THEME = "notistream_theme"
THEMES = ("light", "dark")
SAFE: Mapping[str, str] = {
    # Not `no-referrer`: without a referrer, browsers send forms with `Origin: null`.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src"
        " 'self'; frame-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
# HTML from outside, shown in a frame: no scripts, no requests, an origin of its own.
FRAMED: Mapping[str, str] = {
    **SAFE,
    "Content-Security-Policy": (
        "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
        "frame-ancestors 'self'"
    ),
}
TONES: Mapping[str, str] = {
    Status.DELIVERED: "good",
    Status.FAILED: "bad",
    Status.UNKNOWN: "warn",
    Status.RETRYING: "warn",
    Status.DEFERRED: "wait",
    Status.SCHEDULED: "wait",
    Status.PENDING: "wait",
    Status.PROCESSING: "wait",
    Status.CANCELLED: "quiet",
    Status.SUPPRESSED: "quiet",
    Status.EXPIRED: "quiet",
}


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(PAGES),
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        duration=formats.duration,
        count=formats.count,
        percent=formats.percent,
        milliseconds=formats.milliseconds,
        tail=formats.tail,
        pretty=formats.pretty,
    )
    environment.globals.update(
        asset=assets.address,
        tones=TONES,
        channels=list(CHANNELS),
        statuses=[str(status) for status in Status],
        priorities=[str(priority) for priority in Priority],
        nothing=formats.NOTHING,
    )
    return environment


def page(request: web.Request, template: str, *, status: int = 200, **values: Any) -> web.Response:
    """A page; it shows the message of the last action once.

    Templates know `operator` (None before signing in), `form_token`, `at` (when it was rendered)
    and `moment`.
    """
    now, operator = datetime.now(UTC), request.get(OPERATOR)
    operators = request.app[RUNTIME].operators
    theme, flash = request.cookies.get(THEME, ""), request.cookies.get(FLASH)
    said = operators.unseal(operator, flash) if operator and flash else None
    text = (
        _environment()
        .get_template(template)
        .render(
            {
                "operator": operator,
                "form_token": operators.form_token(operator) if operator else "",
                "places": (
                    navigation.menu(request.app[ROUTE_TABLE], request.path) if operator else ()
                ),
                "at": now,
                "theme": theme if theme in THEMES else "",
                "said": said,
                "moment": partial(formats.moment, now=now),
                "refresh_s": 0,
                **values,
            }
        )
    )
    response = web.Response(text=text, status=status, content_type="text/html", headers=SAFE)
    if flash:
        response.del_cookie(FLASH, path="/console")
    return response


def framed(text: str) -> web.Response:
    """HTML from outside as a document for a frame; nothing in it can act."""
    return web.Response(text=text, content_type="text/html", headers=FRAMED)


def done(request: web.Request, to: str, said: str) -> web.Response:
    """Redirect to a page after an action; that page shows the message `said` once."""
    response = web.Response(status=303, headers={**SAFE, "Location": to})
    operators = request.app[RUNTIME].operators
    response.set_cookie(
        FLASH,
        operators.seal(request[OPERATOR], said),
        path="/console",
        httponly=True,
        samesite="Strict",
        secure=is_https(request),
        max_age=60,
    )
    return response


def refusal(request: web.Request, error: NotiStreamError) -> web.Response:
    """The page that shows an error."""
    response = page(request, "shell/error.html", status=error.status, error=error)
    if isinstance(error, Unavailable | TooManyRequests):
        response.headers["Retry-After"] = str(error.retry_after_s)
    return response


def is_https(request: web.Request) -> bool:
    """Whether the browser used https, to this process or to a proxy."""
    return request.secure or request.headers.get("X-Forwarded-Proto", "") == "https"
