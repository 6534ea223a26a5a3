"""Handlers of dead letters: lists and charts, and replay or deletion with a preview first."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from aiohttp import web
from multidict import MultiMapping

from notistream.console.shell.charts import Chart, ChartRange, chart
from notistream.console.shell.query import filled_fields, read_fields, url
from notistream.console.shell.rendering import OPERATOR, done, page
from notistream.console.shell.sessions import FORM
from notistream.db import dead_letters as stored
from notistream.db.dead_letters import DeadLetterCount, Filter
from notistream.dead_letters.letters import readable
from notistream.domain.notification import CHANNELS
from notistream.errors import FieldError, InvalidRequest, NotFound
from notistream.web.server.context import RUNTIME
from notistream.web.server.paths import path_id

HERE = "/console/dead-letters"
SIZE = 25
STEP = 2_000
"""Dead letters that one request of a long replay queues; the page sends the next request."""
REFRESH_S = 5
BYTES_SHOWN = 4_000
KINDS = 30
FIELDS = ("channel", "reason", "template", "tenant_id", "notification_id", "since", "until")
SHOWN: Mapping[str, bool | None] = {"waiting": False, "replayed": True, "all": None}


DAY = ChartRange("day", "last day", timedelta(days=1), timedelta(minutes=30))
WEEK = ChartRange("week", "last week", timedelta(days=7), timedelta(hours=4))


def read_filter(query: MultiMapping[str], *, replayed: bool | None = False) -> Filter:
    """The filter of a form; raises InvalidRequest."""
    asks = read_fields(query)
    meant = Filter(
        tenant_id=asks.uuid("tenant_id"),
        channel=asks.channel(),
        reason=asks.text("reason"),
        notification_id=asks.uuid("notification_id"),
        template=asks.text("template"),
        since=asks.moment("since"),
        until=asks.moment("until"),
        replayed=replayed,
    )
    asks.check()
    return meant


async def show_many(request: web.Request) -> web.Response:
    database, query = request.app[RUNTIME].database, request.query
    shown = query.get("shown", "waiting")
    meant = read_filter(query, replayed=SHOWN.get(shown, False))
    before = read_fields(query).cursor("before")
    entries = await stored.list_page(database, meant, before=before, limit=SIZE + 1)
    kinds = await stored.kinds(database, meant, limit=KINDS)
    chosen = WEEK if query.get("range") == WEEK.name else DAY
    values = {name: query.get(name, "") for name in (*FIELDS, "shown", "range")}
    return page(
        request,
        "dead_letters/list.html",
        entries=entries[:SIZE],
        kinds=kinds,
        values=values,
        ranges=(DAY, WEEK),
        chosen=chosen,
        drawn=await _chart(request, chosen, meant.channel),
        refresh_s=REFRESH_S,
        first=before is None,
        older=url(HERE, values, before=entries[SIZE - 1].id) if len(entries) > SIZE else None,
        link=lambda path, **changed: url(f"{HERE}{path}", values, **changed),
        shown=shown,
        choices=SHOWN,
    )


async def _chart(request: web.Request, chosen: ChartRange, channel: str | None) -> Chart:
    until = datetime.now(UTC)
    since = datetime.fromtimestamp((until - chosen.length).timestamp() // 1800 * 1800, UTC)
    found = await stored.over_time(
        request.app[RUNTIME].database, since=since, every=chosen.step, channel=channel
    )
    return drawn(found, since=since, until=until, chosen=chosen)


def drawn(
    found: Sequence[DeadLetterCount], *, since: datetime, until: datetime, chosen: ChartRange
) -> Chart:
    """Dead letters per step; a step without any is 0, because the table holds all of them."""
    moments = [since + chosen.step * at for at in range(int((until - since) / chosen.step) + 1)]
    counts = {(one.channel, one.at): one.count for one in found}
    form = "%H:%M" if chosen is DAY else "%d %b %H:%M"
    return chart(
        f"Dead letters per {'30 minutes' if chosen is DAY else '4 hours'}",
        {channel: [counts.get((channel, at), 0) for at in moments] for channel in CHANNELS},
        labels=[at.strftime(form) for at in moments],
    )


async def show(request: web.Request) -> web.Response:
    found = await request.app[RUNTIME].dead_letters.get(path_id(request))
    [forecast] = await request.app[RUNTIME].dead_letters.forecast([found.id])
    text, encoding = readable(found.value)
    key, _ = readable(found.key)
    return page(
        request,
        "dead_letters/dead_letter.html",
        found=found,
        obstacle=forecast.obstacle,
        key=key,
        encoding=encoding,
        text=text[:BYTES_SHOWN] if text else text,
        cut=len(text or "") > BYTES_SHOWN,
        headers=[(name, readable(value)[0]) for name, value in found.headers],
    )


async def preview(request: web.Request) -> web.Response:
    """What a replay or deletion of selected ones, or a replay of all that match, would do."""
    letters, ids = request.app[RUNTIME].dead_letters, _ids(request.query.getall("id", []))
    if not ids and "all" not in request.query:
        raise InvalidRequest(
            [FieldError("/id", "select at least one dead letter")],
            "select at least one dead letter",
        )
    if ids:
        return page(
            request,
            "dead_letters/preview.html",
            forecasts=await letters.forecast(ids),
            deletes=request.query.get("do") == "delete",
        )
    meant = read_filter(request.query)
    until = meant.until or datetime.now(UTC)
    values = {**{name: request.query.get(name, "") for name in FIELDS}, "until": until.isoformat()}
    return page(
        request, "dead_letters/preview_all.html", kinds=await letters.kinds(meant), values=values
    )


def _ids(given: Sequence[str]) -> list[UUID]:
    try:
        return [UUID(one) for one in given]
    except ValueError:
        raise NotFound("there is no such dead letter") from None


async def replay(request: web.Request) -> web.Response:
    ids = _ids(request[FORM].getall("id", []))
    outcome = await request.app[RUNTIME].dead_letters.replay_listed(
        ids, actor=request[OPERATOR].actor
    )
    skipped = f", skipped: {outcome.skipped}" if outcome.skipped else ""
    return done(request, HERE, f"Queued again: {outcome.replayed}{skipped}.")


async def delete(request: web.Request) -> web.Response:
    ids = _ids(request[FORM].getall("id", []))
    deleted = await request.app[RUNTIME].dead_letters.delete(ids, actor=request[OPERATOR].actor)
    return done(request, HERE, f"Deleted: {len(deleted)}.")


async def replay_all(request: web.Request) -> web.Response:
    """One step of a long replay; the answered page sends the next one while it is open."""
    form = request[FORM]
    progress = read_fields(form)
    after = progress.cursor("after")
    so_far = {name: _count(form, name) for name in ("total", "replayed", "skipped")}
    meant = read_filter(filled_fields(form))
    progress.check()
    outcome = await request.app[RUNTIME].dead_letters.replay_matching(
        meant, actor=request[OPERATOR].actor, limit=STEP, after=after
    )
    replayed, skipped = so_far["replayed"] + outcome.replayed, so_far["skipped"] + outcome.skipped
    if outcome.last_id is None:
        rest = f", skipped: {skipped}" if skipped else ""
        return done(request, HERE, f"Queued again: {replayed}{rest}.")
    values = {name: form.get(name, "") for name in FIELDS}
    return page(
        request,
        "dead_letters/progress.html",
        replayed=replayed,
        skipped=skipped,
        values={
            **values,
            "after": outcome.last_id,
            "total": max(so_far["total"], replayed + skipped),
            "replayed": replayed,
            "skipped": skipped,
        },
    )


def _count(form: MultiMapping[str], name: str) -> int:
    given = form.get(name, "")
    return int(given) if given.isascii() and given.isdecimal() and len(given) < 10 else 0
