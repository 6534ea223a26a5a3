"""The figures: names, targets (design, section 5), and the measurements of each round."""

from collections import defaultdict
from dataclasses import dataclass, field
from statistics import median


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One row of the table.

    `share` is the target as a part of the reference of the same round, which is `beside`.
    """

    key: str
    title: str
    unit: str
    beside: str = "bare"
    share: float | None = None
    least: float | None = None
    most: float | None = None
    first_seed: str = "–"

    @property
    def target(self) -> str:
        """The target in words."""
        bounds = [
            f"≥ {self.least:,.0f}" if self.least is not None else "",
            f"≤ {self.most:,g}" if self.most is not None else "",
            f"≥ {self.share:g} × {self.beside}" if self.share is not None else "",
        ]
        return " and ".join(b for b in bounds if b) or "–"


FIGURES = (
    Figure(key="creates_1", title="creates, 1 connection", unit="/s", first_seed="340"),
    Figure(
        key="creates_64",
        title="creates, 64 connections",
        unit="/s",
        least=5_000,
        share=0.5,
        first_seed="1,050",
    ),
    Figure(
        key="ingest",
        title="batch ingest",
        unit="items/s",
        least=10_000,
        share=0.4,
        first_seed="1,600–2,040",
    ),
    Figure(
        key="deliveries_gated",
        title="deliveries, every gate on",
        unit="/s",
        share=0.5,
        first_seed="880–920",
    ),
    Figure(
        key="deliveries",
        title="deliveries, without limits",
        unit="/s",
        share=0.9,
        first_seed="880–920",
    ),
    Figure(key="holding", title="deliveries, held back or not", unit="/s", beside="not held"),
    Figure(
        key="cpu_gated",
        title="CPU per delivery, every gate on",
        unit="ms",
        most=0.6,
        first_seed="1.6–2.5",
    ),
    Figure(
        key="cpu",
        title="CPU per delivery, without limits",
        unit="ms",
        most=0.4,
        first_seed="1.6–2.5",
    ),
    Figure(key="latency_p50", title="end to end at 100/s, p50", unit="ms", most=12, first_seed="5"),
    Figure(key="latency_p99", title="end to end at 100/s, p99", unit="ms", most=40, first_seed="8"),
    Figure(
        key="isolation",
        title="email beside a slow sms provider",
        unit="/s",
        beside="alone",
        share=0.9,
    ),
    Figure(
        key="telemetry",
        title="deliveries, 10 % traced, JSON logs",
        unit="/s",
        beside="neither",
        share=0.95,
    ),
    Figure(key="high_p50", title="high beside a low backlog, p50", unit="ms"),
    Figure(key="high_p99", title="high beside a low backlog, p99", unit="ms", most=2_000),
    Figure(key="fair_median", title="beside another's flood, median", unit="ms"),
    Figure(key="fair_slowest", title="beside another's flood, slowest", unit="ms", most=2_000),
    Figure(key="live_p50", title="live beside what comes due, p50", unit="ms"),
    Figure(key="live_p99", title="live beside what comes due, p99", unit="ms", most=2_000),
    Figure(key="due", title="drain of what came due", unit="s"),
    Figure(
        key="start", title="start of a worker, its counts on disk", unit="s", beside="lost", most=5
    ),
    Figure(key="workers", title="deliveries, two workers", unit="/s", beside="one"),
    Figure(key="memory_api", title="memory of the API process", unit="MB", most=250),
    Figure(key="memory_worker", title="memory of the worker process", unit="MB", most=250),
    Figure(
        key="million", title="deliveries after a million", unit="/s", beside="at first", share=0.9
    ),
    Figure(
        key="million_api",
        title="memory of the API after a million",
        unit="MB",
        beside="at first",
        most=250,
    ),
    Figure(
        key="million_worker",
        title="memory of the worker after a million",
        unit="MB",
        beside="at first",
        most=250,
    ),
)


@dataclass(slots=True)
class Samples:
    """What was measured.

    A figure of the product and the reference of the same round have the same place.
    """

    product: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    reference: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    cpu_ms: dict[str, dict[str, list[float]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )
    notes: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    faults: list[str] = field(default_factory=list)
    """What the product logged as errors meanwhile."""

    def spent(self, phase: str, used: dict[str, float], count: int) -> None:
        """Note CPU seconds of each part for `count` items of a phase."""
        for part, seconds in used.items():
            self.cpu_ms[phase][part].append(seconds * 1000 / count)


@dataclass(frozen=True, slots=True)
class Row:
    """A figure as it came out.

    The ratio is the median of the rounds' own ratios, because absolute figures drift.
    """

    figure: Figure
    product: float
    low: float
    high: float
    reference: float | None
    ratio: float | None

    @property
    def met(self) -> bool | None:
        """None where there is no target, or nothing to compare with."""
        figure, checks = self.figure, list[bool]()
        if figure.least is not None:
            checks.append(self.product >= figure.least)
        if figure.most is not None:
            checks.append(self.product <= figure.most)
        if figure.share is not None and self.ratio is not None:
            checks.append(self.ratio >= figure.share)
        return all(checks) if checks else None


def rows(samples: Samples) -> list[Row]:
    """The rows of what was measured, in the order of FIGURES."""
    found = samples.product
    return [
        _row(f, found[f.key], samples.reference.get(f.key, [])) for f in FIGURES if found.get(f.key)
    ]


def _row(figure: Figure, product: list[float], reference: list[float]) -> Row:
    ratios = [p / r for p, r in zip(product, reference, strict=False) if r]
    return Row(
        figure,
        median(product),
        min(product),
        max(product),
        median(reference) if reference else None,
        median(ratios) if ratios else None,
    )
