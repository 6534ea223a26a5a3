"""Handlers of range replays: preview, start, progress, stop and resume."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from aiohttp import web
from multidict import MultiMapping
from uuid_utils.compat import uuid7

from notistream.console.shell.query import filled_fields, read_fields, url
from notistream.console.shell.rendering import OPERATOR, done, page
from notistream.console.shell.sessions import FORM
from notistream.db import range_replays
from notistream.db.range_replays import Range
from notistream.dead_letters.range_replay import MOST_PER_S, PER_S
from notistream.domain.notification import TERMINAL
from notistream.errors import FieldError, InvalidRequest
from notistream.web.server.context import RUNTIME
from notistream.web.server.paths import path_id

HERE = "/console/replays"
SIZE = 25
REFRESH_S = 2
FIELDS = ("since", "until", "channel", "tenant_id", "rate")
ENDED: Sequence[str] = sorted(TERMINAL)


def read_replay(query: MultiMapping[str]) -> tuple[Range, float]:
    """The range and the rate of a form; raises InvalidRequest."""
    asks, given = read_fields(query), filled_fields(query)
    since, until = asks.moment("since"), asks.moment("until")
    meant = Range(
        since=since or datetime.now(UTC),
        until=until,
        channel=asks.channel(),
        tenant_id=asks.uuid("tenant_id"),
        statuses=tuple(sorted(set(given.getall("status", ["failed"])) & set(ENDED))) or ("failed",),
    )
    asks.check()
    if since is None:
        raise InvalidRequest([FieldError("/query/since", "must be given")])
    if until is not None and until <= since:
        raise InvalidRequest([FieldError("/query/until", "must lie after `since`")])
    return meant, _rate(given.get("rate"))


def _rate(given: str | None) -> float:
    try:
        rate = float(given or PER_S)
    except ValueError:
        rate = 0.0
    if not 0 < rate <= MOST_PER_S:
        raise InvalidRequest(
            [FieldError("/query/rate", f"must be a number above 0, at most {MOST_PER_S:g}")]
        )
    return rate


async def show_many(request: web.Request) -> web.Response:
    before = read_fields(request.query).cursor("before")
    found = await range_replays.list_page(
        request.app[RUNTIME].database, before=before, limit=SIZE + 1
    )
    return page(
        request,
        "replays/list.html",
        found=found[:SIZE],
        first=before is None,
        refresh_s=REFRESH_S,
        ended=ENDED,
        older=url(HERE, {}, before=found[SIZE - 1].id) if len(found) > SIZE else None,
        per_s=f"{PER_S:g}",
        since=(datetime.now(UTC) - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M"),
    )


async def preview(request: web.Request) -> web.Response:
    """What the replay would do now; reads the whole range and changes nothing."""
    meant, rate = read_replay(request.query)
    replay_id = uuid7()
    survey = await request.app[RUNTIME].range_replays.survey(meant, replay_id=replay_id)
    return page(
        request, "replays/preview.html", meant=meant, rate=rate, survey=survey, replay_id=replay_id
    )


async def start(request: web.Request) -> web.Response:
    """Start it under the id of its preview, so that a form submitted twice starts it once."""
    form = request[FORM]
    meant, rate = read_replay(form)
    ids = read_fields(form)
    replay_id, total = ids.uuid("id") or uuid7(), form.get("total", "0")
    ids.check()
    await request.app[RUNTIME].range_replays.start(
        replay_id,
        meant,
        rate=rate,
        total=int(total) if total.isdecimal() and len(total) < 10 else 0,
        actor=request[OPERATOR].actor,
    )
    return done(request, HERE, "The replay has started.")


async def stop(request: web.Request) -> web.Response:
    await request.app[RUNTIME].range_replays.stop(path_id(request), actor=request[OPERATOR].actor)
    return done(request, HERE, "The replay is stopped. It can be resumed.")


async def resume(request: web.Request) -> web.Response:
    await request.app[RUNTIME].range_replays.resume(path_id(request), actor=request[OPERATOR].actor)
    return done(request, HERE, "The replay is resumed.")
