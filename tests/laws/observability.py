"""Rules, dashboards, sources and runbooks name only what exists: metrics, labels, commands."""

import json
import re
import runpy
import sys
from collections.abc import Iterator
from functools import partial
from typing import Any

from notistream.commands import MODULES
from notistream.settings.model import PREFIX, Settings
from tests.laws.series import KNOWN
from tests.laws.tree import ROOT, Tree

PROMETHEUS, GRAFANA, RUNBOOKS = "deploy/prometheus", "deploy/grafana", "docs/runbooks"
SOURCES = f"{GRAFANA}/provisioning/datasources/notistream.yaml"
DASHBOARDS = {"overview", "channel", "reliability", "tenant"}
TARGET = {"job", "instance", "role"}
"""Labels that Prometheus gives to every series it scrapes."""
OWN: dict[str, set[str]] = {
    "up": set(),
    "ALERTS": {"alertname", "alertstate", "severity", "channel", "provider"},
}
"""Series that Prometheus makes itself."""
WORDS = {"and", "or", "unless", "bool", "by", "on", "ignoring", "offset", "without"}
SETTINGS = {PREFIX + name.upper() for name in Settings.model_fields}
ONE_SCREEN = 26
TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
LOG_LINE = f'{{"level":"info","event":"x","trace_id":"{TRACE_ID}","span_id":"00f067aa0ba902b7"}}'


def rules(tree: Tree) -> Iterator[tuple[str, dict[str, Any]]]:
    """Path and content of each."""
    for path in (f"{PROMETHEUS}/rules.yaml", f"{PROMETHEUS}/alerts.yaml"):
        for group in tree.yaml(path)["groups"]:
            for rule in group["rules"]:
                yield path, rule


def alerts(tree: Tree) -> Iterator[tuple[str, dict[str, Any]]]:
    return ((path, rule) for path, rule in rules(tree) if "alert" in rule)


def boards(tree: Tree) -> dict[str, dict[str, Any]]:
    found = tree.files(f"{GRAFANA}/dashboards/*.json")
    return {path: json.loads(tree.read(path)) for path in found}


def grouped(expr: str) -> set[str]:
    """Labels of all `by (…)`."""
    return {
        label.strip()
        for labels in re.findall(r"\bby\s*\(([^)]*)\)", expr)
        for label in labels.split(",")
    }


def selected(expr: str) -> Iterator[tuple[str, set[str]]]:
    """Each series that the expression names, with the labels by which it selects."""
    bare = re.sub(r'"[^"]*"', "", expr)
    bare = re.sub(r"\[[^\]]*\]|\bby\s*\([^)]*\)|\boffset\s+\w+", "", bare)
    bare = re.sub(
        r"\{([^}]*)\}", lambda braces: "{" + " ".join(re.findall(r"\w+", braces[1])) + "}", bare
    )
    for name, _, labels in re.findall(
        r"(?<![\w.:])([a-zA-Z_:][\w:]*)\b(?!\s*\()(\s*\{([^}]*)\})?", bare
    ):
        if name not in WORDS:
            yield name, set(labels.split())


def series(tree: Tree) -> dict[str, set[str]]:
    """All that can be asked for, with its labels."""
    recorded = {
        rule["record"]: grouped(rule["expr"]) for _, rule in rules(tree) if "record" in rule
    }
    return {**{name: labels | TARGET for name, labels in {**KNOWN, **OWN}.items()}, **recorded}


def expressions(tree: Tree) -> Iterator[tuple[str, str, str]]:
    """Path, whose it is, and the expression."""
    for path, rule in rules(tree):
        yield path, rule.get("alert") or rule["record"], rule["expr"]
    for path, board in boards(tree).items():
        for panel in board["panels"]:
            for target in panel["targets"]:
                if target["datasource"]["uid"] == "prometheus":
                    yield path, panel["title"], target["expr"]


def expressions_name_metrics_and_labels_that_exist(tree: Tree) -> Iterator[str]:
    known = series(tree)
    for path, name, expr in expressions(tree):
        wrong = partial(tree.at, path, name)
        found = dict(selected(expr))
        if not found:
            yield wrong(f"{name} asks for nothing")
        for each, labels in selected(expr):
            if each not in known:
                yield wrong(f"{name}: there is no series {each}")
            elif not labels <= known[each]:
                yield wrong(f"{name}: {each} has no label {sorted(labels - known[each])}")
        there = set[str]().union(*(known.get(each, set()) for each in found))
        if not grouped(expr) <= there:
            yield wrong(f"{name}: groups by {sorted(grouped(expr) - there)}, which nothing has")


def alerts_say_how_bad_what_and_where_to_read_on(tree: Tree) -> Iterator[str]:
    known = series(tree)
    for path, rule in alerts(tree):
        wrong = partial(tree.at, path, f"alert: {rule['alert']}")
        notes = rule["annotations"]
        if rule["labels"]["severity"] not in {"critical", "warning"}:
            yield wrong("is neither critical nor a warning")
        if set(notes) != {"summary", "description", "runbook_url"}:
            yield wrong("has not just summary, description and runbook_url")
        if notes.get("runbook_url") != f"{RUNBOOKS}/{rule['alert']}.md":
            yield wrong("names another runbook")
        kept = grouped(rule["expr"]) or set().union(
            *(known.get(name, set()) for name, _ in selected(rule["expr"]))
        )
        for label in sorted(set(re.findall(r"\$labels\.(\w+)", str(notes))) - kept):
            yield wrong(f"fills in the label {label}, which its expression has not")


def every_alert_has_a_runbook_and_a_day_on_which_it_fires(tree: Tree) -> Iterator[str]:
    index = tree.read(f"{RUNBOOKS}/README.md")
    fired = fires(tree)
    names = {rule["alert"] for _, rule in alerts(tree)}
    for path, rule in alerts(tree):
        name, page = rule["alert"], f"{RUNBOOKS}/{rule['alert']}.md"
        if name not in fired:
            yield tree.at(path, f"alert: {name}", "never fires in alerts_test.yaml")
        if f"| [{name}]({name}.md) | {rule['labels']['severity']} |" not in index:
            yield f"{RUNBOOKS}/README.md:1: does not list {name} with its severity"
        if not tree.has(page):
            yield f"{page}:1: is missing"
        elif re.findall(r"^#+ (.*)", tree.read(page), re.M) != [name, "Look", "Do", "Over when"]:
            yield f"{page}:1: its headings are not {name}, Look, Do, Over when"
    for page in tree.files(f"{RUNBOOKS}/*.md"):
        if page.removeprefix(f"{RUNBOOKS}/").removesuffix(".md") not in names | {"README"}:
            yield f"{page}:1: belongs to no alert"


def fires(tree: Tree) -> set[str]:
    """The alerts that a day of alerts_test.yaml makes fire."""
    found: set[str] = set()
    for day in tree.yaml(f"{PROMETHEUS}/alerts_test.yaml")["tests"]:
        for check in day.get("promql_expr_test", []):
            if check["exp_samples"]:
                found |= set(re.findall(r'alertname="(\w+)"', check["expr"]))
        for check in day.get("alert_rule_test", []):
            if check["exp_alerts"]:
                found.add(check["alertname"])
    return found


def runbooks_name_only_what_exists(tree: Tree) -> Iterator[str]:
    known = {
        r"`notistream ([a-z]+)": set(MODULES),
        r"NOTISTREAM_[A-Z0-9_]+": SETTINGS,
        r"\bnotistream_[a-z_]+": set(series(tree)),
    }
    for page in tree.files(f"{RUNBOOKS}/*.md"):
        for pattern, names in known.items():
            for name in sorted(set(re.findall(pattern, tree.read(page))) - names):
                yield tree.at(page, name, f"there is no {name}")


def dashboards_are_told_apart_and_fit_on_a_screen(tree: Tree) -> Iterator[str]:
    found = boards(tree)
    if {path.split("/")[-1] for path in found} != {f"{name}.json" for name in DASHBOARDS}:
        yield f"{GRAFANA}/dashboards:1: are not {', '.join(sorted(DASHBOARDS))}"
    for key in ("uid", "title"):
        if len({board[key] for board in found.values()}) < len(found):
            yield f"{GRAFANA}/dashboards:1: two have the same {key}"
    for path, board in found.items():
        if len({panel["id"] for panel in board["panels"]}) < len(board["panels"]):
            yield f"{path}:1: two panels have the same id"
        places = [panel["gridPos"] for panel in board["panels"]]
        if max(place["y"] + place["h"] for place in places) > ONE_SCREEN:
            yield f"{path}:1: needs more than one screen"


def dashboards_are_as_their_script_writes_them(tree: Tree) -> Iterator[str]:
    sys.path.insert(0, str(ROOT / GRAFANA))
    try:
        files = runpy.run_path(str(ROOT / GRAFANA / "dashboards.py"))["files"]()
    finally:
        sys.path.pop(0)
    for name, text in files.items():
        if tree.read(f"{GRAFANA}/dashboards/{name}") != text:
            yield f"{GRAFANA}/dashboards/{name}:1: is stale: run `make generate`"


def panels_ask_a_source_that_is_provisioned(tree: Tree) -> Iterator[str]:
    there = {(source["uid"], source["type"]) for source in tree.yaml(SOURCES)["datasources"]}
    for path, board in boards(tree).items():
        for panel in board["panels"]:
            wrong = partial(tree.at, path, json.dumps(panel["title"]))
            asked = [panel["datasource"], *(target["datasource"] for target in panel["targets"])]
            if not {(source["uid"], source["type"]) for source in asked} <= there:
                yield wrong(f"{panel['title']} asks a source that is not provisioned")
            if not panel.get("description") or not panel["fieldConfig"]["defaults"].get("unit"):
                yield wrong(f"{panel['title']} has no description or no unit")


def sources_and_their_links_fit_together(tree: Tree) -> Iterator[str]:
    sources = {source["uid"]: source for source in tree.yaml(SOURCES)["datasources"]}
    if sources.keys() != {"prometheus", "loki", "tempo", "jaeger", "postgres"}:
        yield f"{SOURCES}:1: has the sources {sorted(sources)}"
        return
    services = tree.yaml("compose.yaml")["services"]
    for source in sources.values():
        host = re.sub(r"^https?://", "", source["url"]).split(":")[0]
        if host not in services:
            yield tree.at(SOURCES, source["url"], f"no service is called {host}")
    field = sources["loki"]["jsonData"]["derivedFields"][0]
    if re.findall(field["matcherRegex"], LOG_LINE) != [TRACE_ID]:
        yield tree.at(SOURCES, "matcherRegex", "does not find the trace of a log line")
    linked = {
        field["datasourceUid"],
        sources["tempo"]["jsonData"]["tracesToLogsV2"]["datasourceUid"],
    }
    for uid in sorted(linked - sources.keys()):
        yield tree.at(SOURCES, uid, f"links to {uid}, which is no source")


LAWS = (
    expressions_name_metrics_and_labels_that_exist,
    alerts_say_how_bad_what_and_where_to_read_on,
    every_alert_has_a_runbook_and_a_day_on_which_it_fires,
    runbooks_name_only_what_exists,
    dashboards_are_told_apart_and_fit_on_a_screen,
    dashboards_are_as_their_script_writes_them,
    panels_ask_a_source_that_is_provisioned,
    sources_and_their_links_fit_together,
)
