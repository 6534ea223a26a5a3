"""Panels of Grafana dashboards as plain values."""

from collections.abc import Sequence
from typing import Any

Panel = dict[str, Any]

PROMETHEUS = {"type": "prometheus", "uid": "prometheus"}
LOKI = {"type": "loki", "uid": "loki"}
POSTGRES = {"type": "grafana-postgresql-datasource", "uid": "postgres"}
WIDTH = 24


def per_second(counter: str, *by: str, where: str = "") -> str:
    """A counter's rate over all processes."""
    return f"sum{_by(by)}(rate({counter}{where}[$__rate_interval]))"


def lately(counter: str, *by: str, span: str = "5m") -> str:
    """By how much a counter of all processes has grown within the span."""
    return f"sum{_by(by)}(increase({counter}[{span}]))"


def quantile(share: float, histogram: str, *by: str, where: str = "") -> str:
    """A quantile of a histogram over all processes."""
    return (
        f"histogram_quantile({share}, {per_second(histogram + '_bucket', 'le', *by, where=where)})"
    )


def stat(
    title: str,
    expr: str,
    *,
    about: str,
    unit: str = "short",
    warn: float | None = None,
    bad: float | None = None,
) -> Panel:
    """One figure, yellow from `warn` and red from `bad`; below them, if `warn` is the larger."""
    panel = _panel("stat", title, [_query(expr, "")], about=about, unit=unit)
    panel["fieldConfig"]["defaults"]["thresholds"] = _steps(warn, bad)
    panel["options"] = {
        "reduceOptions": {"calcs": ["lastNotNull"]},
        "colorMode": "value",
        "graphMode": "area",
        "textMode": "value",
    }
    return panel


def graph(
    title: str,
    *series: tuple[str, str],
    about: str,
    unit: str = "short",
    bad: float | None = None,
    stacked: bool = False,
) -> Panel:
    """Lines over time, each a legend and an expression; `bad` is drawn as a line of its own."""
    panel = _panel(
        "timeseries",
        title,
        [_query(expr, legend) for legend, expr in series],
        about=about,
        unit=unit,
    )
    custom: dict[str, Any] = {
        "lineWidth": 1,
        "fillOpacity": 25 if stacked else 5,
        "showPoints": "never",
    }
    if stacked:
        custom["stacking"] = {"mode": "normal"}
    if bad is not None:
        custom["thresholdsStyle"] = {"mode": "dashed"}
        panel["fieldConfig"]["defaults"]["thresholds"] = _steps(None, bad)
    panel["fieldConfig"]["defaults"] |= {"custom": custom, "min": 0}
    panel["options"] = {
        "legend": {"displayMode": "list", "placement": "bottom"},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    return panel


def alerts(title: str, *, about: str) -> Panel:
    """The alerts of Prometheus that fire."""
    query = _query(
        'sum by (alertname, severity, instance, channel, provider) (ALERTS{alertstate="firing"})',
        "",
    )
    panel = _panel("table", title, [{**query, "instant": True, "format": "table"}], about=about)
    panel["transformations"] = [
        {"id": "organize", "options": {"excludeByName": {"Time": True, "Value": True}}}
    ]
    return panel


def logs(title: str, query: str, *, about: str) -> Panel:
    """Log lines, newest first."""
    panel = _panel("logs", title, [{"datasource": LOKI, "expr": query}], about=about)
    panel["datasource"] = LOKI
    panel["options"] = {
        "showTime": True,
        "wrapLogMessage": True,
        "sortOrder": "Descending",
        "enableLogDetails": True,
    }
    return panel


def sql(kind: str, title: str, statement: str, *, about: str, unit: str = "short") -> Panel:
    """The result of an SQL statement as `timeseries` (time, metric, value), `table` or `stat`."""
    form = "time_series" if kind == "timeseries" else "table"
    target = {
        "datasource": POSTGRES,
        "rawSql": statement,
        "format": form,
        "rawQuery": True,
        "editorMode": "code",
    }
    panel = _panel(kind, title, [target], about=about, unit=unit)
    panel["datasource"] = POSTGRES
    if kind == "timeseries":
        panel["fieldConfig"]["defaults"] |= {
            "custom": {"drawStyle": "bars", "fillOpacity": 60, "stacking": {"mode": "normal"}},
            "min": 0,
        }
    if kind == "stat":
        panel["options"] = {"reduceOptions": {"calcs": ["lastNotNull"]}, "textMode": "value"}
    return panel


def variable(
    name: str, query: str, *, label: str, source: dict[str, str] = PROMETHEUS
) -> dict[str, Any]:
    """A choice on top of the dashboard, filled from a data source."""
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": source,
        "query": query,
        "refresh": 2,
        "sort": 1,
    }


def dashboard(
    uid: str,
    title: str,
    *rows: tuple[int, Sequence[Panel]],
    about: str,
    variables: Sequence[dict[str, Any]] = (),
    since: str = "now-1h",
    refresh: str = "30s",
) -> dict[str, Any]:
    """Rows of panels, each row with its height.

    Panels of a row are equally wide and get their ids by position.
    """
    placed: list[Panel] = []
    top = 0
    for height, row in rows:
        width = WIDTH // len(row)
        for at, panel in enumerate(row):
            box = {"x": at * width, "y": top, "w": width, "h": height}
            placed.append({"id": len(placed) + 1, "gridPos": box, **panel})
        top += height
    return {
        "uid": uid,
        "title": title,
        "description": about,
        "tags": ["notistream"],
        "schemaVersion": 39,
        "version": 1,
        "editable": False,
        "refresh": refresh,
        "time": {"from": since, "to": "now"},
        "timezone": "browser",
        "graphTooltip": 1,
        "templating": {"list": list(variables)},
        "panels": placed,
        "annotations": {"list": []},
        "links": [
            {"type": "dashboards", "tags": ["notistream"], "title": "NotiStream", "keepTime": True}
        ],
    }


def _panel(
    kind: str, title: str, targets: Sequence[dict[str, Any]], *, about: str, unit: str = "short"
) -> Panel:
    named = [{"refId": chr(ord("A") + at), **target} for at, target in enumerate(targets)]
    return {
        "type": kind,
        "title": title,
        "description": about,
        "datasource": PROMETHEUS,
        "targets": named,
        "fieldConfig": {"defaults": {"unit": unit}, "overrides": []},
    }


def _by(labels: Sequence[str]) -> str:
    return f" by ({', '.join(labels)}) " if labels else ""


def _query(expr: str, legend: str) -> dict[str, Any]:
    return {"datasource": PROMETHEUS, "expr": expr, "legendFormat": legend or "__auto"}


def _steps(warn: float | None, bad: float | None) -> dict[str, Any]:
    low_is_bad = warn is not None and bad is not None and warn > bad
    colors = ("red", "yellow", "green") if low_is_bad else ("green", "yellow", "red")
    bounds = (None, bad, warn) if low_is_bad else (None, warn, bad)
    steps = [{"color": color, "value": value} for color, value in zip(colors, bounds, strict=True)]
    return {
        "mode": "absolute",
        "steps": [s for s in steps if s["value"] is not None or s is steps[0]],
    }
