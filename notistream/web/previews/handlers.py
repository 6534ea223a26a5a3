"""The handler of previews."""

from aiohttp import web

from notistream.web.notifications.bodies import CREATE, draft
from notistream.web.previews import views
from notistream.web.server.body import parse, read_body
from notistream.web.server.context import CALLER, RUNTIME
from notistream.web.server.respond import answer


async def preview(request: web.Request) -> web.Response:
    wanted = draft(parse(CREATE, await read_body(request)))
    return answer(
        views.preview(await request.app[RUNTIME].previews.preview(wanted, request[CALLER]))
    )
