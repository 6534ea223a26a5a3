"""Charts as SVG paths: geometry only, coloured by the style sheet; missing values are gaps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from math import ceil, floor, log10

WIDTH, HEIGHT = 400, 170
LEFT, RIGHT, TOP, BOTTOM = 42, 6, 8, 22
Values = Sequence[float | None]


@dataclass(frozen=True, slots=True)
class ChartRange:
    """A choice of a chart: how far back, in which steps."""

    name: str
    label: str
    length: timedelta
    step: timedelta


@dataclass(frozen=True, slots=True)
class Tick:
    """A horizontal line or a mark below, with its label."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Line:
    """One series: a path, and dots for points without a neighbour."""

    name: str
    path: str
    dots: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Slice:
    """A vertical strip of the chart and its tooltip."""

    x: float
    width: float
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """What the macro `chart` draws."""

    title: str
    lines: Sequence[Line]
    rows: Sequence[Tick]
    columns: Sequence[Tick]
    slices: Sequence[Slice]
    nothing: str = ""
    """The text where there is no line."""


def chart(
    title: str,
    series: Mapping[str, Values],
    *,
    labels: Sequence[str],
    unit: str = "",
    top: float | None = None,
    nothing: str = "",
) -> Chart:
    """A chart of equally spaced values; `labels` name their times.

    `top` fixes the scale; else the largest value does. `nothing` is shown if there is no value.
    """
    largest = top or nice(
        max((value for values in series.values() for value in values if value), default=1.0)
    )
    count = max(len(labels), 2)
    xs = [LEFT + (WIDTH - LEFT - RIGHT) * at / (count - 1) for at in range(count)]
    drawn = any(value is not None for values in series.values() for value in values)
    return Chart(
        title=title,
        lines=[_line(name, values, xs, largest) for name, values in series.items()],
        rows=[
            Tick(round(_y(largest * part / 4, largest), 1), _short(largest * part / 4) + unit)
            for part in (0, 2, 4)
        ],
        columns=[
            Tick(round(xs[at], 1), labels[at])
            for at in sorted({0, len(labels) // 2, len(labels) - 1})
        ],
        slices=_slices(series, labels, xs, unit),
        nothing="" if drawn else nothing,
    )


def nice(value: float) -> float:
    """The next 1, 2 or 5 times a power of ten."""
    if value <= 0:
        return 1.0
    power = 10.0 ** floor(log10(value))
    return next(step * power for step in (1, 2, 5, 10) if ceil(value / power * 1e6) / 1e6 <= step)


def _y(value: float, largest: float) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * min(value / largest, 1.0)


def _line(name: str, values: Values, xs: Sequence[float], largest: float) -> Line:
    path: list[str] = []
    dots = []
    for at, value in enumerate(values):
        if value is None:
            continue
        joined = at > 0 and values[at - 1] is not None
        x, y = round(xs[at], 1), round(_y(value, largest), 1)
        path.append(f"{'L' if joined else 'M'}{x:g} {y:g}")
        if not joined and (at + 1 == len(values) or values[at + 1] is None):
            dots.append((x, y))
    return Line(name, "".join(path), dots)


def _slices(
    series: Mapping[str, Values], labels: Sequence[str], xs: Sequence[float], unit: str
) -> Sequence[Slice]:
    width = round((xs[-1] - xs[0]) / (len(xs) - 1), 1)
    found = []
    for at, label in enumerate(labels):
        readings = [
            f"{name} {_short(value)}{unit}"
            for name, values in series.items()
            if (value := values[at]) is not None
        ]
        found.append(
            Slice(
                round(xs[at] - width / 2, 1),
                width,
                f"{label}: {', '.join(readings) or 'not measured'}",
            )
        )
    return found


def _short(value: float) -> str:
    for name, size in (("M", 1e6), ("k", 1e3)):
        if value >= size:
            return f"{value / size:.3g}{name}"
    return f"{value:.3g}"
