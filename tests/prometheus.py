"""A real Prometheus for tests, with the shipped rules, where its program is installed."""

import asyncio
import re
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from tests.stack import ROOT, free_port, until

RULES = ROOT / "deploy" / "prometheus"
PROGRAM = shutil.which("prometheus")
needs_prometheus = pytest.mark.skipif(PROGRAM is None, reason="Prometheus is not installed")


def hurried(text: str) -> str:
    """The rules with one second instead of minutes: nothing has to last, and ages over a minute are ages over 3 s."""
    groups = yaml.safe_load(text)
    for group in groups["groups"]:
        group["interval"] = "1s"
        for rule in group["rules"]:
            rule.pop("for", None)
            rule.pop("keep_firing_for", None)
            rule["expr"] = re.sub(r"> 60\b", "> 3", rule["expr"])
    return yaml.safe_dump(groups)


class Prometheus:
    """Asks one for its alerts."""

    def __init__(self, url: str, http: aiohttp.ClientSession) -> None:
        self._url = url
        self._http = http

    async def firing(self) -> list[Mapping[str, Any]]:
        """Labels of the alerts that fire now."""
        async with self._http.get(f"{self._url}/api/v1/alerts") as answer:
            found = await answer.json()
        return [alert["labels"] for alert in found["data"]["alerts"] if alert["state"] == "firing"]

    async def fires(self, name: str, **labels: str) -> bool:
        return any(
            found["alertname"] == name and labels.items() <= found.items() for found in await self.firing())

    async def value(self, query: str) -> float | None:
        """The value of a query that has one answer; None where it has none yet."""
        async with self._http.get(f"{self._url}/api/v1/query", params={"query": query}) as answer:
            result = (await answer.json())["data"]["result"]
        return float(result[0]["value"][1]) if result else None

    async def ready(self) -> bool:
        try:
            async with self._http.get(f"{self._url}/-/ready") as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False


@asynccontextmanager
async def prometheus(folder: Path, targets: Mapping[str, str]) -> AsyncIterator[Prometheus]:
    """One that scrapes `targets` (role by host:port) every second, with the shipped rules, hurried."""
    assert PROGRAM is not None
    for name in ("rules.yaml", "alerts.yaml"):
        (folder / name).write_text(hurried((RULES / name).read_text()))
    scraped = [{"targets": [address], "labels": {"role": role}} for address, role in targets.items()]
    (folder / "prometheus.yaml").write_text(yaml.safe_dump({
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": ["rules.yaml", "alerts.yaml"],
        "scrape_configs": [{"job_name": "notistream", "static_configs": scraped}]}))
    port = free_port()
    with (folder / "prometheus.log").open("wb") as log:
        child = await asyncio.create_subprocess_exec(
            PROGRAM, f"--config.file={folder}/prometheus.yaml", f"--storage.tsdb.path={folder}/tsdb",
            f"--web.listen-address=127.0.0.1:{port}", stdout=log, stderr=log)
    try:
        async with aiohttp.ClientSession() as http:
            found = Prometheus(f"http://127.0.0.1:{port}", http)
            await until(found.ready, what="Prometheus to be ready")
            yield found
    finally:
        child.terminate()
        await child.wait()
