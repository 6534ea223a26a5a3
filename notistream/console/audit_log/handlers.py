"""Handler of the audit log's page."""

from aiohttp import web

from notistream.console.shell.rendering import page
from notistream.db import audit_log
from notistream.web.server.context import RUNTIME

SIZE = 50


async def show(request: web.Request) -> web.Response:
    before = request.query.get("before", "")
    entries = await audit_log.list_page(
        request.app[RUNTIME].database,
        before=int(before) if before.isdecimal() and len(before) < 19 else None,
        limit=SIZE + 1,
    )
    older = f"?before={entries[SIZE - 1].id}" if len(entries) > SIZE else None
    return page(
        request, "audit_log/audit_log.html", entries=entries[:SIZE], older=older, first=not before
    )
