"""Handlers of dead letters, for operators."""

from uuid import UUID

from aiohttp import web

from notistream.db import dead_letters
from notistream.db.audit_log import ADMIN
from notistream.db.dead_letters import Filter
from notistream.dead_letters.letters import ReplayCount
from notistream.errors import FieldError, InvalidRequest, NotFound
from notistream.web.dead_letters import views
from notistream.web.server.body import parse, read_body, refuse_body
from notistream.web.server.context import RUNTIME
from notistream.web.server.fields import either
from notistream.web.server.paths import path_id
from notistream.web.server.query import Query
from notistream.web.server.respond import answer


async def show_many(request: web.Request) -> web.Response:
    query = Query(request.query)
    size, before = query.page_size(), query.cursor()
    unreplayed = False if query.choice("unreplayed") else None
    meant = Filter(
        tenant_id=either(
            query.uuid("tenant_id"),
            tenant_of(request),
            alias=f"header/{views.TENANT_HEADER}",
            of="tenant_id",
        ),
        channel=query.channel(),
        reason=query.text("reason"),
        notification_id=query.uuid("notification_id"),
        template=query.text("template"),
        since=query.moment("since"),
        until=query.moment("until"),
        replayed=either(
            query.choice("replayed"), unreplayed, alias="query/unreplayed", of="replayed"
        ),
    )
    query.check()
    page = await dead_letters.list_page(
        request.app[RUNTIME].database, meant, before=before, limit=size + 1
    )
    return answer(
        {
            "data": [views.entry(found) for found in page[:size]],
            "next_cursor": page[size - 1].id if len(page) > size else None,
        }
    )


def tenant_of(request: web.Request) -> UUID | None:
    """Return the tenant of the optional header, which some clients send with every request."""
    given = request.headers.get(views.TENANT_HEADER)
    try:
        return UUID(given) if given else None
    except ValueError:
        raise InvalidRequest(
            [FieldError(f"/header/{views.TENANT_HEADER}", "must be a UUID")]
        ) from None


async def show(request: web.Request) -> web.Response:
    return answer(views.whole_entry(await request.app[RUNTIME].dead_letters.get(path_id(request))))


async def replay(request: web.Request) -> web.Response:
    await refuse_body(request)
    found = await request.app[RUNTIME].dead_letters.replay(path_id(request), actor=ADMIN)
    return answer(views.whole_entry(found))


async def replay_many(request: web.Request) -> web.Response:
    wanted = parse(views.REPLAY_WANTED, await read_body(request))
    meant, letters = (
        views.wanted_filter(wanted, tenant_of(request)),
        request.app[RUNTIME].dead_letters,
    )
    kinds, dry_run = await letters.kinds(meant), wanted.get("dry_run") or False
    outcome = ReplayCount(0, 0)
    if not dry_run:
        outcome = await letters.replay_matching(
            meant, actor=ADMIN, limit=wanted.get("limit") or views.AT_ONCE
        )
    return answer(views.replayed(kinds, outcome, dry_run=dry_run))


async def delete(request: web.Request) -> web.Response:
    entry_id = path_id(request)
    if not await request.app[RUNTIME].dead_letters.delete([entry_id], actor=ADMIN):
        raise NotFound(f"there is no dead letter {entry_id}")
    return web.Response(status=204)
