"""Fixtures of the fault suite: a site on the services of the run or on its own, and a row of the
table.
"""

import asyncio
import json
import os
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict
from pathlib import Path
from typing import Protocol

import pytest

from notistream.local.services import Endpoints, LocalServices
from tests.faults.oracle import Verdict
from tests.faults.site import Site, site
from tests.faults.sizes import LIMIT_S
from tests.services import create_database, dedicated_services, topic_prefix


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.faults)
            item.add_marker(pytest.mark.full)
            item.add_marker(pytest.mark.timeout(LIMIT_S))


class Sites(Protocol):
    def __call__(self, **settings: str) -> AbstractAsyncContextManager[Site]: ...


class Report(Protocol):
    def __call__(self, fault: str, load: str, verdict: Verdict) -> None: ...


@pytest.fixture
def sites(endpoints: Endpoints, database_url: str, topics_prefix: str, tmp_path: Path) -> Sites:
    """Starts a site on the services of this run."""

    def start(**settings: str) -> AbstractAsyncContextManager[Site]:
        return site(
            database_url=database_url,
            brokers=endpoints.kafka_brokers,
            prefix=topics_prefix,
            folder=tmp_path,
            **settings,
        )

    return start


@pytest.fixture(scope="module")
def own_services() -> Iterator[LocalServices]:
    """Services that the tests of one file may stop and kill."""
    with dedicated_services() as services:
        yield services


@pytest.fixture
async def own_sites(own_services: LocalServices, tmp_path: Path) -> Sites:
    """Starts a site whose services may be stopped and killed."""
    await asyncio.to_thread(own_services.postgres.start)  # where the test before has left them down
    await asyncio.to_thread(own_services.kafka.start)
    database_url = await create_database(own_services.endpoints)

    def start(**settings: str) -> AbstractAsyncContextManager[Site]:
        return site(
            database_url=database_url,
            brokers=own_services.endpoints.kafka_brokers,
            prefix=topic_prefix(),
            folder=tmp_path,
            services=own_services,
            **settings,
        )

    return start


@pytest.fixture
def report(request: pytest.FixtureRequest) -> Report:
    """Puts a row into the table of docs/reliability.md, where one is made."""

    def add(fault: str, load: str, verdict: Verdict) -> None:
        if path := os.environ.get("FAULTS_REPORT"):
            row = {"test": request.node.nodeid, "fault": fault, "load": load, **asdict(verdict)}
            with Path(path).open("a") as file:
                file.write(json.dumps(row) + "\n")

    return add
