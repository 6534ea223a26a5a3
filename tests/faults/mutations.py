"""Mutation check: `python -m tests.faults.mutations` switches one protection off at a time and
wants a red test.

The tests are the quick ones, first as they are, then each with its mutant; a mutant that no test
notices fails the run.
"""

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.faults.mutants import MUTANT, MUTANTS

ROOT = Path(__file__).parents[2]
FOLDER = "tests/faults"
PATIENCE_S = os.environ.get("FAULTS_PATIENCE_S", "20")
"""How long nothing at all may move; a busy machine needs more."""
SAID = re.compile(r"^E +(?:AssertionError: )?(.+)$", re.MULTILINE)
WATCHED: dict[str, Sequence[str]] = {
    "outbox": (
        "test_crash_points.py::test_a_crash_between_two_steps[committed_not_produced-api-0-0]",
    ),
    "claim": ("test_topics.py::test_offsets_set_back_to_the_beginning_send_nothing_again",),
    "acknowledgement": ("test_workers.py::test_what_waits_behind_a_hanging_call_survives_a_kill",),
    "lease": ("test_crash_points.py::test_a_crash_between_two_steps[claimed_not_sent-worker-0-1]",),
    "fence": ("test_workers.py::test_a_frozen_worker_comes_back_after_its_leases_have_ended",),
    "sweeper": (
        "test_crash_points.py::test_a_crash_between_two_steps[committed_not_produced-api-0-0]",
    ),
    "scheduler": ("test_workers.py::test_retries_that_wait_survive_a_kill",),
}
"""For each mutant the tests that have to notice it, the likeliest first."""


@dataclass(frozen=True, slots=True)
class Run:
    """One test once: whether it passed, and if not, what it said."""

    passed: bool
    said: str


def run(test: str, mutant: str | None) -> Run:
    """Run one test, with a mutant or without."""
    quick = {name: value for name, value in os.environ.items() if not name.startswith("FAULTS")}
    environment = {**quick, "FAULTS_PATIENCE_S": PATIENCE_S, "PYTHONPATH": str(ROOT)}
    if mutant is not None:
        environment[MUTANT] = mutant
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"{FOLDER}/{test}"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    said = SAID.findall(done.stdout)
    return Run(done.returncode == 0, said[0] if said else done.stdout[-300:])


def main(names: Sequence[str]) -> int:
    """Print the table; how many mutants nobody noticed."""
    console = Console(width=160)
    table = Table(
        "switched off", "what that means", "red test", "what it said", title="Mutation check"
    )
    unnoticed = 0
    for name in names or MUTANTS:
        console.print(f"{name} …", highlight=False)
        means = (MUTANTS[name].__doc__ or "").split(".")[0]
        red = next(
            ((test, found) for test in WATCHED[name] if not (found := run(test, name)).passed), None
        )
        if red is None:
            unnoticed += 1
            table.add_row(name, means, "[red]none[/]", "")
        elif not (whole := run(red[0], None)).passed:
            unnoticed += 1
            table.add_row(name, means, "[red]red without it too[/]", whole.said[:200])
        else:
            table.add_row(name, means, red[0].replace("[", r"\["), red[1].said[:200])
    console.print(table)
    return unnoticed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]) and 1)
