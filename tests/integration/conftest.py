"""Fixtures of the integration tests: the whole API in this process, for the tenant `default`."""

from collections.abc import AsyncIterator

import pytest

from notistream.db import tenants
from notistream.runtime import Runtime
from tests.integration.test_api_contract import serving
from tests.unit.web_fakes import Client


@pytest.fixture
async def api(database_url: str) -> AsyncIterator[tuple[Client, Runtime]]:
    """A client, and what serves it."""
    async with serving(database_url) as (client, runtime):
        await tenants.create(runtime.database, "default")
        yield client, runtime


@pytest.fixture
async def client(api: tuple[Client, Runtime]) -> Client:
    return api[0]
