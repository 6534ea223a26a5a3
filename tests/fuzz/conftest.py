"""A real API process with AUTH on, a tenant and its key, for whoever wants to misuse it."""

import os
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import psutil
import pytest

from tests.services import Endpoints
from tests.stack import Process, Stack, stack

ADMIN_TOKEN = "test-admin-token-0123456789"
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "3"))
"""Per operation; `make fuzz` takes 200."""
REQUESTS = int(os.environ.get("FUZZ_REQUESTS", "2000"))
"""Malformed ones; `make fuzz` takes 50,000."""
PATIENCE_S = 7200 if any(name.startswith("FUZZ_") for name in os.environ) else 600


CREATE = "/api/v1/notifications"
GOOD = {"channel": "sms", "recipient": "+905000000001", "content": "hi"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.full)


@dataclass(frozen=True)
class Target:
    """What is misused, and with which credentials."""

    product: Stack
    process: Process
    key: str

    @property
    def headers(self) -> dict[str, str]:
        return {"X-API-Key": self.key, "X-Admin-Token": ADMIN_TOKEN}

    @property
    def resident_mib(self) -> float:
        """Memory of the process."""
        assert self.process.child is not None
        return float(psutil.Process(self.process.child.pid).memory_info().rss) / 2**20


async def served(http: aiohttp.ClientSession, headers: Mapping[str, str] | None = None) -> bool:
    """Whether a good request is accepted."""
    async with http.post(CREATE, json=GOOD, headers=headers) as answer:
        return answer.status == 202


@pytest.fixture
async def target(
    endpoints: Endpoints, database_url: str, topics_prefix: str, tmp_path: Path
) -> AsyncIterator[Target]:
    async with stack(
        database_url=database_url,
        brokers=endpoints.kafka_brokers,
        prefix=topics_prefix,
        folder=tmp_path,
        AUTH="on",
        API_RATE_LIMIT="0",
        JWT_SECRET="x" * 32,
    ) as product:
        process = await product.api()
        admin = {"X-Admin-Token": ADMIN_TOKEN}
        status, tenant = await product.call(
            "POST", "/internal/tenants", {"name": "fuzz"}, headers=admin
        )
        assert status == 201, tenant
        status, key = await product.call(
            "POST", f"/internal/tenants/{tenant['id']}/api-keys", {"name": "fuzz"}, headers=admin
        )
        assert status == 201, key
        yield Target(product, process, key["key"])
        assert process.child is not None
        assert process.child.returncode is None, process.tail()
