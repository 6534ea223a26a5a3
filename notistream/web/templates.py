"""Handlers of templates."""

from aiohttp import web

from notistream.errors import FieldError, InvalidRequest
from notistream.web import render
from notistream.web.body import parse, read_body
from notistream.web.context import RUNTIME, SENDER
from notistream.web.notifications import path_id
from notistream.web.query import Query
from notistream.web.respond import answer
from notistream.web.schemas import TEMPLATE, either


async def create(request: web.Request) -> web.Response:
    wanted = parse(TEMPLATE, await read_body(request))
    body = either(wanted.get("body"), wanted.get("body_template"), alias="body_template", of="body")
    if body is None:
        raise InvalidRequest([FieldError("/body", "is required")])
    active = wanted.get("is_active")
    stored = await request.app[RUNTIME].templates.create(
        request[SENDER].tenant_id,
        name=wanted["name"],
        channel=wanted["channel"],
        subject=either(
            wanted.get("subject"), wanted.get("subject_template"), alias="subject_template", of="subject"),
        body=body,
        metadata=wanted.get("metadata") or {},
        is_active=active is not False,
    )
    return answer(render.template(stored), status=201, location=f"/api/v1/templates/{stored.id}")


async def show(request: web.Request) -> web.Response:
    stored = await request.app[RUNTIME].templates.get(request[SENDER].tenant_id, path_id(request))
    return answer(render.template(stored))


async def show_many(request: web.Request) -> web.Response:
    query = Query(request.query)
    size, before, channel, name = query.page_size(), query.cursor(), query.channel(), query.text("name")
    query.check()
    page = await request.app[RUNTIME].templates.list_page(
        request[SENDER].tenant_id, before=before, channel=channel, name=name, limit=size + 1)
    return answer({
        "data": [render.template(stored) for stored in page[:size]],
        "next_cursor": render.next_cursor(page, size),
    })
