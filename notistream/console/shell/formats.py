"""Formats of values on a page: times, durations, counts and rates."""

from datetime import UTC, datetime

import orjson
from markupsafe import Markup

NOTHING = "–"


def moment(at: datetime | None, now: datetime) -> Markup | str:
    """How long ago, with the exact time (UTC) on hover; a script keeps it up to date."""
    if at is None:
        return NOTHING
    at = at.astimezone(UTC)
    exact = f"{at:%Y-%m-%d %H:%M:%S} UTC"
    return Markup('<time datetime="{}" title="{}" data-ago>{}</time>').format(
        at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        exact,
        ago((now - at).total_seconds()),
    )


def ago(seconds: float) -> str:
    """`just now`, `5 min ago` or `in 5 min`; console.js has the same rule."""
    if abs(seconds) < 1:
        return "just now"
    return f"{duration(seconds)} ago" if seconds > 0 else f"in {duration(-seconds)}"


def duration(seconds: float) -> str:
    """In its largest unit, rounded down."""
    for name, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{int(seconds // length)} {name}"
    return f"{int(seconds)} s"


def count(value: float) -> str:
    """With a thin space at thousands."""
    return f"{value:,.0f}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def percent(value: float | None) -> str:
    """At most 99.99 unless it is exactly 100, so that one failure among many is visible."""
    if value is None:
        return NOTHING
    return f"{value:.0f} %" if value in (0, 100) else f"{min(value, 99.99):.2f} %"


def milliseconds(value: float | None) -> str:
    """In ms below ten seconds, then as a duration."""
    if value is None:
        return NOTHING
    return f"{value:.0f} ms" if value < 10_000 else duration(value / 1000)


def tail(value: object) -> str:
    """The end of an id, which differs even for ids of the same moment."""
    return f"…{str(value)[-8:]}"


def pretty(value: object) -> str:
    """Indented JSON."""
    return orjson.dumps(value, option=orjson.OPT_INDENT_2, default=str).decode()
