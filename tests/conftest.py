"""Fixtures that every test can ask for.

Those of services are loaded where they are asked for: a test of a decision pays for no driver.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from notistream.local.services import Endpoints
    from tests.receiver import Receiver
    from tests.stack import Stack


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The test runs in an empty folder, without `.env`, and without settings of the caller's."""
    for name in list(os.environ):
        if name.startswith("NOTISTREAM_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def endpoints() -> "Iterator[Endpoints]":
    """Addresses of the broker and the PostgreSQL of this run, which start when they are needed."""
    from tests.databases import drop_all
    from tests.services import session_services

    with session_services() as addresses:
        yield addresses
        asyncio.run(drop_all(addresses))


@pytest.fixture
async def database_url(endpoints: "Endpoints") -> AsyncIterator[str]:
    """URL of a migrated database without rows, which no other test uses at the same time."""
    from tests.databases import database

    async with database(endpoints) as url:
        yield url


@pytest.fixture
async def topics_prefix(endpoints: "Endpoints") -> AsyncIterator[str]:
    """First part of the names of this test's topics, which are deleted afterwards."""
    from tests.services import delete_topics, topic_prefix

    prefix = topic_prefix()
    yield prefix
    await delete_topics(endpoints.kafka_brokers, prefix)


@pytest.fixture
async def running(
    endpoints: "Endpoints", database_url: str, topics_prefix: str, tmp_path: Path
) -> "AsyncIterator[tuple[Stack, Receiver]]":
    """A receiver, an API and a way to start workers."""
    from tests.receiver import receiver
    from tests.stack import stack

    async with (
        receiver() as ledger,
        stack(
            database_url=database_url,
            brokers=endpoints.kafka_brokers,
            prefix=topics_prefix,
            folder=tmp_path,
            WEBHOOK_URL=ledger.url,
        ) as product,
    ):
        await product.api()
        yield product, ledger
