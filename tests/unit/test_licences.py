"""A licence that is not allowed is noticed."""

import runpy
from pathlib import Path

import pytest

CHECK = runpy.run_path(str(Path(__file__).parents[2] / "deploy" / "licences.py"))


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
