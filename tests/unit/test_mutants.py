"""Every mutant of the fault tests finds what it switches off, and what finds it."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.mutants import MUTANTS, put, say
from tests.faults.mutations import WATCHED

ROOT = Path(__file__).parents[2]
APPLY = "from tests.faults.mutants import MUTANTS\nfor name in MUTANTS: MUTANTS[name]()"


def test_all_can_be_applied() -> None:
    done = subprocess.run(
        [sys.executable, "-c", APPLY], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_one_that_finds_nothing_to_switch_off_says_so() -> None:
    from notistream.db import deliveries

    with pytest.raises(SystemExit, match="has no gone any more"):
        put(deliveries, "gone", None)
    with pytest.raises(SystemExit, match=r"claim of .* does not say 'nonsense' any more"):
        say(deliveries, "claim", "nonsense", "")


def test_each_is_watched_by_a_test_that_is_there() -> None:
    assert WATCHED.keys() == MUTANTS.keys()
    for tests in WATCHED.values():
        for name, _, function in (test.partition("::") for test in tests):
            source = (ROOT / "tests" / "faults" / name).read_text("utf-8")
            assert f"def {function.partition('[')[0]}(" in source, f"{name} has no {function}"
