"""Handlers of the overview: what needs attention, what was delivered, and what waits."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from aiohttp import web

from notistream.console.shell.charts import Chart, ChartRange, chart
from notistream.console.shell.rendering import page
from notistream.db.channel_minutes import Span
from notistream.domain.notification import CHANNELS
from notistream.operating.overview import Totals
from notistream.web.server.context import RUNTIME

REFRESH_S = 3


HOUR = ChartRange("hour", "last hour", timedelta(hours=1), timedelta(minutes=1))
DAY = ChartRange("day", "last day", timedelta(days=1), timedelta(minutes=15))
RANGES = (HOUR, DAY)


async def show(request: web.Request) -> web.Response:
    runtime = request.app[RUNTIME]
    found = await runtime.overviews.now()
    chosen = DAY if request.query.get("range") == DAY.name else HOUR
    until = _floor(datetime.now(UTC), timedelta(minutes=1))
    since = _floor(until - chosen.length, chosen.step)
    spans = await runtime.overviews.series(since=since, every=chosen.step)
    return page(
        request,
        "overview/overview.html",
        found=found,
        ranges=RANGES,
        chosen=chosen,
        refresh_s=REFRESH_S,
        pausable=[str(pause) for pause in runtime.pauses.all()],
        charts=charts(spans, since=since, until=until, step=chosen.step),
        totals={channel: found.last_hour.get(channel, Totals()) for channel in CHANNELS},
        all=_sum(found.last_hour),
    )


async def redirect(_request: web.Request) -> web.Response:
    return web.Response(status=302, headers={"Location": "/console"})


def _floor(at: datetime, step: timedelta) -> datetime:
    return at - (at - datetime(1970, 1, 1, tzinfo=UTC)) % step


def _sum(totals: Mapping[str, Totals]) -> Totals:
    return Totals(
        sent=sum(t.sent for t in totals.values()),
        failed=sum(t.failed for t in totals.values()),
        latency_ms_sum=sum(t.latency_ms_sum for t in totals.values()),
    )


def charts(
    spans: Sequence[Span], *, since: datetime, until: datetime, step: timedelta
) -> Sequence[Chart]:
    """Three charts of complete steps; the current minute would look like a slump."""
    moments = [since + step * at for at in range(int((until - since) / step))]
    found = {(span.channel, span.at): span for span in spans}
    labels = [f"{at:%H:%M}" for at in moments]

    def values(of: Callable[[Span], float | None]) -> Mapping[str, Sequence[float | None]]:
        return {
            channel: [of(span) if (span := found.get((channel, at))) else None for at in moments]
            for channel in CHANNELS
        }

    nothing = "no deliveries" if spans else "not measured: no worker ran"
    return (
        chart(
            "Delivered per minute",
            values(lambda span: span.sent / span.minutes),
            labels=labels,
            nothing=nothing,
        ),
        chart("Success", values(_success), labels=labels, top=100.0, unit="%", nothing=nothing),
        chart("Mean time to delivery, ms", values(_latency), labels=labels, nothing=nothing),
    )


def _success(span: Span) -> float | None:
    return 100 * span.sent / (span.sent + span.failed) if span.sent + span.failed else None


def _latency(span: Span) -> float | None:
    return span.latency_ms_sum / span.sent if span.sent else None
