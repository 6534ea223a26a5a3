"""Prometheus's own tool agrees with rules and alerts, and the laws read expressions as it does."""

import shutil
import subprocess

import pytest

from tests.laws.observability import selected
from tests.laws.tree import ROOT

PROMETHEUS = ROOT / "deploy" / "prometheus"


@pytest.mark.parametrize(
    ("expr", "expected"),
    [
        ("a_total", [("a_total", set())]),
        ('sum by (x, y) (rate(a_total{b="}c{", d!~"e"}[5m])) > bool 0', [("a_total", {"b", "d"})]),
        ("a:b:c5m / (x_y > 0) and on() vector(1)", [("a:b:c5m", set()), ("x_y", set())]),
        ("time() - max(a offset 5m) > 1e3", [("a", set())]),
    ],
)
def test_expressions_are_read_right(expr, expected):
    assert list(selected(expr)) == expected


@pytest.fixture
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("promtool is not installed (it comes with Prometheus)")
    return found


@pytest.mark.parametrize(
    "words",
    [
        "check config prometheus.yaml",
        "check config prometheus-dns.yaml",
        "check rules rules.yaml alerts.yaml",
        "test rules alerts_test.yaml",
    ],
)
def test_promtool_agrees(promtool, words):
    done = subprocess.run(
        [promtool, *words.split()], cwd=PROMETHEUS, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
