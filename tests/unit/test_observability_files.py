"""Rules, dashboards, data sources and runbooks name only what exists: metrics, labels, pages,
commands, sources.
"""

import json
import re
import runpy
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from prometheus_client.metrics import MetricWrapperBase

from notistream.commands import MODULES
from notistream.observability import metrics
from notistream.settings.model import PREFIX, Settings

ROOT = Path(__file__).parents[2]
RUNBOOKS = ROOT / "docs" / "runbooks"
PROMETHEUS, GRAFANA = ROOT / "deploy" / "prometheus", ROOT / "deploy" / "grafana"

TARGET = {"job", "instance", "role"}
"""Labels that Prometheus gives to every series it scrapes."""
OWN = {"up": set(), "ALERTS": {"alertname", "alertstate", "severity", "channel", "provider"}}
"""Series that Prometheus makes itself."""
WORDS = {"and", "or", "unless", "bool", "by", "on", "ignoring", "offset", "without"}


def known_series() -> dict[str, set[str]]:
    """Every series that NotiStream serves, as it is called on the wire, with its labels."""
    endings = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}
    known: dict[str, set[str]] = {}
    for metric in vars(metrics).values():
        if isinstance(metric, MetricWrapperBase):
            for ending in endings[metric._type]:
                le = {"le"} if ending == "_bucket" else set()
                known[metric._name + ending] = {*metric._labelnames, *le}
    for family in metrics.REGISTRY.collect():
        if not family.name.startswith("notistream_"):
            known |= {sample.name: set(sample.labels) for sample in family.samples}
    return known


KNOWN = known_series()
RULES = [
    rule
    for name in ("rules.yaml", "alerts.yaml")
    for group in yaml.safe_load((PROMETHEUS / name).read_text())["groups"]
    for rule in group["rules"]
]
ALERTS = [rule for rule in RULES if "alert" in rule]
DASHBOARDS = {
    path.name: json.loads(path.read_text())
    for path in sorted((GRAFANA / "dashboards").glob("*.json"))
}
SOURCES = yaml.safe_load(
    (GRAFANA / "provisioning" / "datasources" / "notistream.yaml").read_text()
)["datasources"]


def grouped(expr: str) -> set[str]:
    """Labels of all `by (…)`."""
    return {
        label.strip()
        for labels in re.findall(r"\bby\s*\(([^)]*)\)", expr)
        for label in labels.split(",")
    }


RECORDED = {rule["record"]: grouped(rule["expr"]) for rule in RULES if "record" in rule}
SERIES = {**{name: labels | TARGET for name, labels in {**KNOWN, **OWN}.items()}, **RECORDED}


def selected(expr: str) -> Iterator[tuple[str, set[str]]]:
    """Each series that the expression names, with the labels by which it selects."""
    bare = re.sub(r'"[^"]*"', "", expr)
    bare = re.sub(r"\[[^\]]*\]|\bby\s*\([^)]*\)|\boffset\s+\w+", "", bare)
    for name, _, labels in re.findall(
        r"(?<![\w.:])([a-zA-Z_:][\w:]*)\b(?!\s*\()(\s*\{([^}]*)\})?", bare_labels(bare)
    ):
        if name not in WORDS:
            yield name, set(labels.split())


def bare_labels(expr: str) -> str:
    """The expression with only the label names left inside braces."""
    return re.sub(
        r"\{([^}]*)\}", lambda braces: "{" + " ".join(re.findall(r"\w+", braces[1])) + "}", expr
    )


def panel_targets() -> Iterator[tuple[str, dict, dict]]:
    for name, board in DASHBOARDS.items():
        for panel in board["panels"]:
            for target in panel["targets"]:
                yield f"{name}: {panel['title']}", panel, target


def expressions() -> Iterator[tuple[str, str]]:
    for rule in RULES:
        yield rule.get("alert") or rule["record"], rule["expr"]
    for where, _, target in panel_targets():
        if target["datasource"]["uid"] == "prometheus":
            yield where, target["expr"]


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


@pytest.mark.parametrize(("where", "expr"), list(expressions()))
def test_names_only_metrics_and_labels_that_exist(where, expr):
    found = dict.fromkeys(name for name, _ in selected(expr))
    assert found
    assert found.keys() <= SERIES.keys()
    for name, labels in selected(expr):
        assert labels <= SERIES[name], name
    assert grouped(expr) <= set().union(*(SERIES[name] for name in found))


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
class TestAlert:
    def test_says_how_bad_what_and_where_to_read_on(self, rule):
        assert rule["labels"]["severity"] in {"critical", "warning"}
        assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
        assert rule["annotations"]["runbook_url"] == f"docs/runbooks/{rule['alert']}.md"

    def test_fills_in_only_labels_that_its_expression_has(self, rule):
        used = set(re.findall(r"\$labels\.(\w+)", str(rule["annotations"])))
        kept = grouped(rule["expr"]) or set().union(
            *(SERIES[name] for name, _ in selected(rule["expr"]))
        )
        assert used <= kept

    def test_has_a_runbook_that_the_index_lists(self, rule):
        text = (RUNBOOKS / f"{rule['alert']}.md").read_text()
        assert re.findall(r"^#+ (.*)", text, re.M) == [rule["alert"], "Look", "Do", "Over when"]
        index = (RUNBOOKS / "README.md").read_text()
        assert f"| [{rule['alert']}]({rule['alert']}.md) | {rule['labels']['severity']} |" in index

    def test_has_a_day_on_which_it_fires(self, rule):
        days = yaml.safe_load((PROMETHEUS / "alerts_test.yaml").read_text())["tests"]
        fired = [
            check
            for day in days
            for check in day.get("promql_expr_test", [])
            if f'alertname="{rule["alert"]}"' in check["expr"] and check["exp_samples"]
        ] + [
            check
            for day in days
            for check in day.get("alert_rule_test", [])
            if check["alertname"] == rule["alert"] and check["exp_alerts"]
        ]
        assert fired


def test_every_runbook_belongs_to_an_alert():
    assert {path.stem for path in RUNBOOKS.glob("*.md")} == {rule["alert"] for rule in ALERTS} | {
        "README"
    }


@pytest.mark.parametrize("page", sorted(RUNBOOKS.glob("*.md")), ids=lambda path: path.stem)
def test_runbooks_name_only_what_exists(page):
    text = page.read_text()
    assert set(re.findall(r"`notistream ([a-z]+)", text)) <= MODULES.keys()
    assert set(re.findall(r"NOTISTREAM_[A-Z0-9_]+", text)) <= {
        PREFIX + name.upper() for name in Settings.model_fields
    }
    assert set(re.findall(r"\bnotistream_[a-z_]+", text)) <= SERIES.keys()
    for link in re.findall(r"\]\(([^)]+)\)", text):
        assert (page.parent / link).exists(), link


def test_dashboards_are_told_apart():
    boards = DASHBOARDS.values()
    assert set(DASHBOARDS) == {"overview.json", "channel.json", "reliability.json", "tenant.json"}
    assert (
        len({board["uid"] for board in boards})
        == len({board["title"] for board in boards})
        == len(boards)
    )
    for board in boards:
        assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
        bottom = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in board["panels"])
        assert bottom <= 26, "more than one screen"


def test_dashboards_are_as_their_script_writes_them(monkeypatch):
    monkeypatch.syspath_prepend(str(GRAFANA))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    files = runpy.run_path(str(GRAFANA / "dashboards.py"))["files"]()
    assert {path.name: path.read_text() for path in (GRAFANA / "dashboards").iterdir()} == files


@pytest.mark.parametrize(("where", "panel", "target"), list(panel_targets()))
def test_panels_ask_a_source_that_is_provisioned_and_say_what_they_show(where, panel, target):
    provisioned = {(source["uid"], source["type"]) for source in SOURCES}
    for source in (panel["datasource"], target["datasource"]):
        assert (source["uid"], source["type"]) in provisioned
    assert panel["description"], where
    assert panel["fieldConfig"]["defaults"]["unit"]


def test_sources_and_their_links_fit_together():
    sources = {source["uid"]: source for source in SOURCES}
    assert sources.keys() == {"prometheus", "loki", "tempo", "jaeger", "postgres"}
    hosts = {
        uid: re.sub(r"^https?://", "", source["url"]).split(":")[0]
        for uid, source in sources.items()
    }
    assert (
        set(hosts.values())
        <= yaml.safe_load((ROOT / "compose.yaml").read_text())["services"].keys()
    )
    field = sources["loki"]["jsonData"]["derivedFields"][0]
    trace_id = "4bf92f3577b34da6a3ce929d0e0e4736"
    line = '{"level":"info","event":"x","trace_id":"' + trace_id + '","span_id":"00f067aa0ba902b7"}'
    assert re.findall(field["matcherRegex"], line) == [trace_id]
    assert field["datasourceUid"] in sources
    assert sources["tempo"]["jsonData"]["tracesToLogsV2"]["datasourceUid"] in sources


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
