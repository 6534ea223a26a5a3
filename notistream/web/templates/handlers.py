"""Handlers of templates."""

from aiohttp import web

from notistream.db import templates
from notistream.errors import FieldError, InvalidRequest
from notistream.web.server.body import parse, read_body
from notistream.web.server.context import CALLER, RUNTIME, own
from notistream.web.server.paths import path_id
from notistream.web.server.query import Query
from notistream.web.server.respond import answer, no_content
from notistream.web.templates import bodies, views


async def create(request: web.Request) -> web.Response:
    wanted = parse(bodies.CREATE, await read_body(request))
    stored = await request.app[RUNTIME].templates.create(
        request[CALLER].tenant_id, bodies.template_draft(wanted)
    )
    return answer(views.template(stored), status=201, location=f"/api/v1/templates/{stored.id}")


async def replace(request: web.Request) -> web.Response:
    template_id, wanted = path_id(request), parse(bodies.REPLACE, await read_body(request))
    stored = await request.app[RUNTIME].templates.replace(
        request[CALLER].tenant_id,
        template_id,
        bodies.replacement(wanted),
        name=wanted.get("name"),
        channel=wanted.get("channel"),
    )
    return answer(views.template(stored))


async def delete(request: web.Request) -> web.Response:
    await request.app[RUNTIME].templates.delete(request[CALLER].tenant_id, path_id(request))
    return no_content()


async def show(request: web.Request) -> web.Response:
    stored = await request.app[RUNTIME].templates.get(request[CALLER].tenant_id, path_id(request))
    return answer(views.template(stored))


async def show_many(request: web.Request) -> web.Response:
    query = Query(request.query)
    size, before, channel, name = (
        query.page_size(),
        query.cursor(),
        query.channel(),
        query.text("name"),
    )
    query.check()
    page = await templates.list_page(
        own(request),
        request[CALLER].tenant_id,
        before=before,
        channel=channel,
        name=name,
        limit=size + 1,
    )
    return answer(views.template_page(page, size))


async def show_versions(request: web.Request) -> web.Response:
    template_id, query = path_id(request), Query(request.query)
    size, cursor = query.page_size(), query.text("cursor")
    query.check()
    if cursor is not None and not (cursor.isascii() and cursor.isdigit() and len(cursor) < 10):
        raise InvalidRequest(
            [FieldError("/query/cursor", "must be `next_cursor` of the page before")]
        )
    page = await request.app[RUNTIME].templates.versions(
        request[CALLER].tenant_id,
        template_id,
        before=int(cursor) if cursor else None,
        limit=size + 1,
    )
    return answer(views.version_page(page, size))


async def preview(request: web.Request) -> web.Response:
    template_id, wanted = path_id(request), parse(bodies.PREVIEW_STORED, await read_body(request))
    variables, locale = bodies.values(wanted)
    library = request.app[RUNTIME].templates
    stored = await library.get(request[CALLER].tenant_id, template_id)
    variant, found = await library.preview(
        stored.content, variables, channel=stored.channel, locale=locale
    )
    return answer(views.preview(found, variant))


async def preview_unsaved(request: web.Request) -> web.Response:
    wanted = parse(bodies.PREVIEW_UNSAVED, await read_body(request))
    variables, locale = bodies.values(wanted)
    variant, found = await request.app[RUNTIME].templates.preview(
        bodies.content(wanted), variables, channel=wanted["channel"], locale=locale
    )
    return answer(views.preview(found, variant))
