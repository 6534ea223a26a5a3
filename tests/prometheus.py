"""A real Prometheus over the processes of one test, with the shipped rules: which alert expressions
are true.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from tests.stack import ROOT, Stack, free_port, until

RULES = ROOT / "deploy" / "prometheus"
ALERTS = [
    rule
    for group in yaml.safe_load((RULES / "alerts.yaml").read_text())["groups"]
    for rule in group["rules"]
    if 'job="observers"' not in rule["expr"]
]


class Prometheus:
    """Asks what is true now.

    How long it must have been (`for`) is the business of the rules' own tests.
    """

    def __init__(self, url: str, http: aiohttp.ClientSession) -> None:
        self._url = url
        self._http = http

    async def query(self, expr: str) -> list[dict[str, str]]:
        """Labels of each series that the expression leaves."""
        async with self._http.post(f"{self._url}/api/v1/query", data={"query": expr}) as answer:
            body: dict[str, Any] = await answer.json()
        assert body["status"] == "success", body
        return [found["metric"] for found in body["data"]["result"]]

    async def true(self) -> set[str]:
        """Alerts whose expression is true."""
        return {rule["alert"] for rule in ALERTS if await self.query(rule["expr"])}

    async def becomes(self, *alerts: str) -> None:
        """Wait until at least these are true."""

        async def all_true() -> bool:
            return set(alerts) <= await self.true()

        await until(all_true, what=f"{', '.join(alerts)} to be true")


@asynccontextmanager
async def watching(product: Stack, folder: Path) -> AsyncIterator[Prometheus]:
    """A Prometheus that scrapes all processes of the stack twice a second."""
    targets = [
        {"targets": [process.url.removeprefix("http://")], "labels": {"role": process.role}}
        for process in product.processes
    ]
    (folder / "targets.json").write_text(json.dumps(targets))
    (folder / "prometheus.yaml").write_text(
        yaml.safe_dump(
            {
                "global": {
                    "scrape_interval": "500ms",
                    "scrape_timeout": "500ms",
                    "evaluation_interval": "500ms",
                },
                "rule_files": [str(RULES / "rules.yaml"), str(RULES / "alerts.yaml")],
                "scrape_configs": [
                    {"job_name": "notistream", "file_sd_configs": [{"files": ["targets.json"]}]}
                ],
            }
        )
    )
    address = f"127.0.0.1:{free_port()}"
    with (folder / "prometheus.log").open("ab") as log:
        child = await asyncio.create_subprocess_exec(
            "prometheus",
            f"--config.file={folder}/prometheus.yaml",
            f"--storage.tsdb.path={folder}/tsdb",
            f"--web.listen-address={address}",
            stdout=log,
            stderr=log,
        )
    try:
        prometheus = Prometheus(f"http://{address}", product.http)

        async def scraping() -> bool:
            try:
                return len(await prometheus.query("up == 1")) == len(product.processes)
            except aiohttp.ClientError:
                return False

        await until(scraping, what="Prometheus to have scraped every process")
        yield prometheus
    finally:
        if child.returncode is None:
            child.kill()
        await child.wait()
