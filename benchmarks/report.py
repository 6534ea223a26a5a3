"""What a run tells: a table for people, a JSON file for comparing runs."""

import os
import platform
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table

from benchmarks.figures import Row, Samples
from benchmarks.plan import Plan

PACKAGES = ("notistream", "faust-streaming", "aiokafka", "aiohttp", "asyncpg", "uvloop", "orjson")
PARTS = ("api", "worker", "postgres", "kafka", "receiver", "generator")
FAULT_LENGTH = 1000
VERDICTS = {True: "[green]met[/]", False: "[red]missed[/]", None: "–"}


def show(console: Console, rows: list[Row], samples: Samples) -> None:
    """Print the figures, then where the CPU went, then what else was noticed."""
    console.print(_figures(rows))
    if samples.cpu_ms:
        console.print(_cpu(samples.cpu_ms))
    for name, values in samples.notes.items():
        console.print(f"{name}: {_number(median(values))}", highlight=False)
    if samples.faults:
        console.print(
            f"[red]the product logged {len(samples.faults)} errors[/], the first:", highlight=False
        )
        console.print(samples.faults[0][:FAULT_LENGTH], highlight=False, markup=False)


def _figures(rows: list[Row]) -> Table:
    table = Table(
        title=(
            "Figures: the product, and beside it the bare limit or another reference of the"
            " same run"
        )
    )
    for title in (
        "figure",
        "product",
        "min – max",
        "reference",
        "ratio",
        "target",
        "",
        "first seed, tuned",
    ):
        table.add_column(title, justify="left" if title in ("figure", "target", "") else "right")
    for row in rows:
        table.add_row(
            row.figure.title,
            f"{_number(row.product)} {row.figure.unit}",
            _span(row),
            _reference(row),
            "–" if row.ratio is None else f"{row.ratio:.2f}",
            row.figure.target,
            VERDICTS[row.met],
            row.figure.first_seed,
        )
    return table


def _span(row: Row) -> str:
    return "–" if row.low == row.high else f"{_number(row.low)} – {_number(row.high)}"


def _reference(row: Row) -> str:
    return "–" if row.reference is None else f"{_number(row.reference)} {row.figure.beside}"


def _cpu(phases: Mapping[str, Mapping[str, list[float]]]) -> Table:
    table = Table(title="CPU, ms per item (the budget counts API, worker and PostgreSQL)")
    table.add_column("")
    for part in PARTS:
        table.add_column(part, justify="right")
    for phase, used in phases.items():
        table.add_row(
            phase, *(f"{median(used[part]):.3f}" if part in used else "–" for part in PARTS)
        )
    return table


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def document(
    rows: list[Row], samples: Samples, *, plan: Plan, settings: Mapping[str, str], load: float
) -> dict[str, Any]:
    """The same as plain data, with what it was measured on.

    `load` is the machine's before the start.
    """
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {
            "cores": os.cpu_count(),
            "load_before": load,
            "system": platform.platform(),
            "python": platform.python_version(),
            "versions": {name: version(name) for name in PACKAGES},
        },
        "plan": asdict(plan),
        "settings": dict(settings),
        "figures": [_plain(row, samples) for row in rows],
        "cpu_ms_per_item": samples.cpu_ms,
        "notes": samples.notes,
        "faults": samples.faults,
    }


def _plain(row: Row, samples: Samples) -> dict[str, Any]:
    key = row.figure.key
    return {
        "key": key,
        "title": row.figure.title,
        "unit": row.figure.unit,
        "product": row.product,
        "beside": row.figure.beside,
        "reference": row.reference,
        "ratio": row.ratio,
        "target": row.figure.target,
        "met": row.met,
        "rounds": {"product": samples.product[key], "reference": samples.reference.get(key, [])},
    }


def write(path: Path, found: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(orjson.dumps(found, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
