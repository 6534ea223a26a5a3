"""Handlers of the documentation: the OpenAPI document, its page and the list of errors."""

from functools import lru_cache
from html import escape
from pathlib import Path

from aiohttp import web
from openapi_ui_bundles import swagger_ui

from notistream.errors import NotFound, every
from notistream.web.openapi.document import document
from notistream.web.server.context import ROUTE_TABLE
from notistream.web.server.respond import dump
from notistream.web.server.route import Route

OWN = Path(__file__).parent / "static"
ASSETS = {
    "docs.js": OWN / "docs.js",
    "docs.css": OWN / "docs.css",
    "swagger-ui.css": swagger_ui.static_path / "swagger-ui.css",
    "swagger-ui-bundle.js": swagger_ui.static_path / "swagger-ui-bundle.js",
    "favicon.png": swagger_ui.static_path / "favicon-32x32.png",
}
# Swagger UI sets style attributes and draws its icons from data: addresses; scripts are files of
# this server only.
SAFE = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self'"
        " data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
ERRORS_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>NotiStream errors</title>
<link rel="stylesheet" href="/docs/assets/docs.css"></head><body class="page"><h1>Errors</h1>
<p>The <code>type</code> of every problem leads here; <code>code</code> is stable.</p>
<table><tr><th>code</th><th>status</th><th>meaning</th></tr>{rows}</table></body></html>"""


async def openapi(request: web.Request) -> web.Response:
    body = _document(request.app[ROUTE_TABLE].rows)
    return web.Response(
        body=body, headers={"Content-Type": "application/json", "X-Content-Type-Options": "nosniff"}
    )


@lru_cache(maxsize=4)
def _document(rows: tuple[Route, ...]) -> bytes:
    return dump(document(rows))


async def page(_request: web.Request) -> web.FileResponse:
    return web.FileResponse(OWN / "docs.html", headers={**SAFE, "Cache-Control": "no-cache"})


async def asset(request: web.Request) -> web.FileResponse:
    found = ASSETS.get(request.match_info["name"])
    if found is None:
        raise NotFound(f"there is nothing at {request.path[:200]}")
    return web.FileResponse(found, headers={**SAFE, "Cache-Control": "max-age=3600"})


async def to_page(_request: web.Request) -> web.Response:
    return web.Response(status=302, headers={"Location": "/docs"})


async def errors(_request: web.Request) -> web.Response:
    rows = "".join(
        f'<tr id="{kind.code}"><td><code>{kind.code}</code></td><td>{kind.status}</td>'
        f"<td>{escape(kind.meaning())}</td></tr>"
        for kind in sorted(every(), key=lambda kind: (kind.status, kind.code))
    )
    page_text = ERRORS_PAGE.format(rows=rows)
    return web.Response(text=page_text, content_type="text/html", headers=SAFE)
