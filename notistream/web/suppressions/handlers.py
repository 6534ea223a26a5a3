"""Handlers of the suppression list."""

from aiohttp import web

from notistream.db import suppressions
from notistream.domain.validation import nul_error
from notistream.errors import NotFound
from notistream.web.server.body import parse, read_body
from notistream.web.server.context import CALLER, own
from notistream.web.server.fields import channel_name, refuse_wrong
from notistream.web.server.query import Query
from notistream.web.server.respond import answer, no_content
from notistream.web.suppressions import views
from notistream.web.suppressions.bodies import (
    LISTING,
    PUT_SUPPRESSION,
    SUPPRESSED,
    Suppression,
    suppression,
)


async def show_many(request: web.Request) -> web.Response:
    query = Query(request.query)
    size, after, channel, address = (
        query.page_size(),
        query.text_cursor(3),
        query.channel(),
        query.text("address"),
    )
    category = query.text("category")
    query.check()
    found = await suppressions.list_page(
        own(request),
        request[CALLER].tenant_id,
        after=(after[0], after[1], after[2]) if after else None,
        channel=channel,
        address=address,
        category=category,
        limit=size + 1,
    )
    return answer(views.suppression_page(found, size))


async def put(request: web.Request) -> web.Response:
    wanted = parse(PUT_SUPPRESSION, await read_body(request))
    return await _put(request, suppression(wanted["channel"], wanted["address"], wanted))


async def put_of_path(request: web.Request) -> web.Response:
    """The body may be left out."""
    body = await read_body(request) if request.can_read_body else b""
    listing = parse(LISTING, body) if body else {}
    path = request.match_info
    return await _put(
        request, suppression(path["channel"], path["address"], listing, place="/path")
    )


async def _put(request: web.Request, wanted: Suppression) -> web.Response:
    stored, created = await suppressions.put(
        own(request),
        request[CALLER].tenant_id,
        channel=wanted.channel,
        address=wanted.address,
        category=wanted.category,
        reason=wanted.reason,
        note=wanted.note,
    )
    return answer(views.suppression(stored), status=201 if created else 200)


async def remove(request: web.Request) -> web.Response:
    wanted = parse(SUPPRESSED, await read_body(request))
    return await _remove(
        request, wanted["channel"], wanted["address"], wanted.get("category") or "", place=""
    )


async def remove_of_path(request: web.Request) -> web.Response:
    query, path = Query(request.query), request.match_info
    category = query.text("category")
    query.check()
    return await _remove(request, path["channel"], path["address"], category or "", place="/path")


async def _remove(
    request: web.Request, channel: str, address: str, category: str, *, place: str
) -> web.Response:
    name = channel_name(channel, pointer=f"{place}/channel")
    refuse_wrong({f"{place}/address": nul_error(address), "/category": nul_error(category)})
    if not await suppressions.remove(
        own(request), request[CALLER].tenant_id, channel=name, address=address, category=category
    ):
        raise NotFound("this address is not on the suppression list")
    return no_content()
