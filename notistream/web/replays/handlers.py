"""Handlers of replays of a time range, for operators."""

from aiohttp import web
from uuid_utils.compat import uuid7

from notistream.db import range_replays
from notistream.db.audit_log import ADMIN
from notistream.dead_letters.range_replay import PER_S
from notistream.errors import FieldError, InvalidRequest
from notistream.web.replays import views
from notistream.web.server.body import parse, read_body, refuse_body
from notistream.web.server.context import RUNTIME
from notistream.web.server.paths import path_id
from notistream.web.server.query import Query
from notistream.web.server.respond import answer


async def start(request: web.Request) -> web.Response:
    wanted = parse(views.RANGE_REPLAY_WANTED, await read_body(request))
    meant = views.wanted_range(wanted)
    if meant.until is not None and meant.until <= meant.since:
        raise InvalidRequest([FieldError("/until", "must lie after `since`")])
    replays = request.app[RUNTIME].range_replays
    replay_id = wanted.get("id") or uuid7()
    survey = await replays.survey(meant, replay_id=replay_id)
    if wanted.get("dry_run") is not False:
        return answer(views.survey_view(survey, meant))
    started = await replays.start(
        replay_id, meant, rate=wanted.get("rate") or PER_S, total=survey.total, actor=ADMIN
    )
    return answer(
        views.replay_view(started), status=202, location=f"/internal/replays/{started.id}"
    )


async def show_many(request: web.Request) -> web.Response:
    query = Query(request.query)
    size, before = query.page_size(), query.cursor()
    query.check()
    page = await range_replays.list_page(
        request.app[RUNTIME].database, before=before, limit=size + 1
    )
    return answer(
        {
            "data": [views.replay_view(found) for found in page[:size]],
            "next_cursor": page[size - 1].id if len(page) > size else None,
        }
    )


async def show(request: web.Request) -> web.Response:
    return answer(views.replay_view(await request.app[RUNTIME].range_replays.get(path_id(request))))


async def stop(request: web.Request) -> web.Response:
    await refuse_body(request)
    return answer(
        views.replay_view(
            await request.app[RUNTIME].range_replays.stop(path_id(request), actor=ADMIN)
        )
    )
