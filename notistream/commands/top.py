"""`notistream top`: a live view of lanes, rates, lag, breakers and dead letters."""

import sys
import time
from collections.abc import Iterator, Sequence

import click
import orjson
from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from notistream.commands.scrape import View, scrape, situation, view
from notistream.domain.attention import concerns
from notistream.settings.model import Settings
from notistream.settings.reading import load_settings

SLOTS = 8
IDLE = "nothing waits"


@click.command()
@click.option(
    "--url",
    "urls",
    multiple=True,
    metavar="URL",
    help="Address of a process (repeat it). Default: the API and the workers of this machine.",
)
@click.option(
    "--interval",
    type=click.FloatRange(0.2, 60),
    default=1.0,
    show_default=True,
    help="Seconds between looks.",
)
@click.option("--once", is_flag=True, help="Two looks, one second apart, then end.")
@click.option("--json", "as_json", is_flag=True, help="One look, machine-readable.")
def top(*, urls: Sequence[str], interval: float, once: bool, as_json: bool) -> None:
    """Watch the lanes live; Ctrl-C ends it. Exit status 1: no process answered."""
    chosen = [url.rstrip("/") for url in urls] or found(load_settings())
    first = look(chosen)
    if not any(first.processes.values()):
        click.echo(
            f"error: no process answers at {', '.join(chosen) or 'any port of this machine'}; name"
            " one with --url",
            err=True,
        )
        sys.exit(1)
    if as_json:
        click.echo(orjson.dumps(first).decode())
        return
    with Live(screen=not once and sys.stdout.isatty(), auto_refresh=False) as live:
        try:
            for shown in frames(chosen, first, interval):
                live.update(shown, refresh=True)
                if once:
                    break
        except KeyboardInterrupt:
            return


def found(settings: Settings) -> list[str]:
    """The addresses of this machine's processes that answer: the API, and a worker per slot."""
    first = settings.worker_port or settings.port + 1
    ports = [settings.port, *range(first, first + SLOTS)]
    return [
        url for url in (f"http://127.0.0.1:{port}" for port in ports) if scrape(url) is not None
    ]


def look(urls: Sequence[str]) -> View:
    """One look at all of them."""
    return view({url: scrape(url) for url in urls})


def frames(urls: Sequence[str], before: View, interval: float) -> Iterator[RenderableType]:
    """A picture for every interval."""
    at = time.monotonic()
    while True:
        time.sleep(interval)
        now, seen = time.monotonic(), look(urls)
        yield picture(before, seen, seconds=now - at)
        before, at = seen, now


def picture(before: View, now: View, *, seconds: float) -> RenderableType:
    """What is wrong first, then rates, then the lanes."""
    return Group(_troubles(now), _rates(before, now, seconds), _lanes(now))


def _troubles(now: View) -> Text:
    said = [concern.text for concern in concerns(situation(now))]
    return Text(
        "\n".join(f"! {line}" for line in said) or "nothing needs attention",
        style="red" if said else "green",
    )


def _rates(before: View, now: View, seconds: float) -> Text:
    def rate(earlier: float, later: float) -> str:
        return f"{max(later - earlier, 0) / seconds:,.0f}/s"

    parts = [f"accepted {rate(before.accepted, now.accepted)}"]
    parts += [
        f"{status} {rate(before.ended.get(status, 0), count)}"
        for status, count in sorted(now.ended.items())
        if count > before.ended.get(status, 0)
    ]
    parts += [
        f"outbox {int(now.outbox)}",
        f"possible duplicates {int(now.duplicates)}",
        f"loop lag {now.loop_lag_s * 1000:.0f} ms",
    ]
    return Text("   ".join(parts))


def _lanes(now: View) -> RenderableType:
    table = Table("lane", box=None, pad_edge=False)
    for name in ("in flight", "held", "lag", "oldest"):
        table.add_column(name, justify="right")
    busy = {
        name: lane
        for name, lane in sorted(now.lanes.items())
        if lane.in_flight or lane.waiting or lane.lag
    }
    for name, lane in busy.items():
        table.add_row(
            name,
            f"{lane.in_flight:.0f}",
            f"{lane.waiting:.0f}",
            f"{lane.lag:,.0f}",
            f"{lane.oldest_s:.0f} s",
        )
    return table if busy else Text(IDLE, style="dim")
