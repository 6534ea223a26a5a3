"""The figures: their names, their targets (design, section 5), and what was measured for each, round by round."""

from collections import defaultdict
from dataclasses import dataclass, field
from statistics import median


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One row of the table; `share` is the target as a part of the bare figure of the same round."""

    key: str
    title: str
    unit: str
    share: float | None = None
    least: float | None = None
    most: float | None = None
    first_seed: str = "–"

    @property
    def target(self) -> str:
        """The target in words."""
        bounds = [
            f"≥ {self.least:,.0f}" if self.least is not None else "",
            f"≤ {self.most:g}" if self.most is not None else "",
            f"≥ {self.share:g} × bare" if self.share is not None else "",
        ]
        return " and ".join(b for b in bounds if b) or "–"


FIGURES = (
    Figure(key="creates_1", title="creates, 1 connection", unit="/s", first_seed="340"),
    Figure(key="creates_64", title="creates, 64 connections", unit="/s", least=5_000, share=0.5, first_seed="1,050"),
    Figure(key="ingest", title="batch ingest", unit="items/s", least=10_000, share=0.4, first_seed="1,600–2,040"),
    Figure(key="deliveries", title="deliveries from a backlog", unit="/s", share=0.9, first_seed="880–920"),
    Figure(key="deliveries_limited", title="… with recipient limits", unit="/s", share=0.5, first_seed="880–920"),
    Figure(key="latency_p50", title="end to end at 100/s, p50", unit="ms", most=12, first_seed="5"),
    Figure(key="latency_p99", title="end to end at 100/s, p99", unit="ms", most=40, first_seed="8"),
    Figure(key="cpu", title="CPU per delivery", unit="ms", most=0.4, first_seed="1.6–2.5"),
    Figure(key="cpu_limited", title="… with recipient limits", unit="ms", most=0.6, first_seed="1.6–2.5"),
    Figure(key="memory_api", title="memory of the API process", unit="MB", most=250),
    Figure(key="memory_worker", title="memory of the worker process", unit="MB", most=250),
)


@dataclass(slots=True)
class Samples:
    """What was measured; a product figure and the bare one of the same round have the same place."""

    product: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    bare: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    cpu_ms: dict[str, dict[str, list[float]]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(list)))
    notes: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def spent(self, phase: str, used: dict[str, float], count: int) -> None:
        """Note CPU seconds of each part for `count` items of a phase."""
        for part, seconds in used.items():
            self.cpu_ms[phase][part].append(seconds * 1000 / count)


@dataclass(frozen=True, slots=True)
class Row:
    """A figure as it came out; the ratio is the median of the rounds' own ratios, because absolute figures drift."""

    figure: Figure
    product: float
    low: float
    high: float
    bare: float | None
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
    return [_row(f, samples.product[f.key], samples.bare.get(f.key, [])) for f in FIGURES if samples.product.get(f.key)]


def _row(figure: Figure, product: list[float], bare: list[float]) -> Row:
    ratios = [p / b for p, b in zip(product, bare, strict=False) if b]
    return Row(
        figure, median(product), min(product), max(product), median(bare) if bare else None,
        median(ratios) if ratios else None)
