"""Fixtures of the console's tests: an installation, and a browser that looks at it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from tests.console.browser import Tab, chromium, tab
from tests.receiver import Receiver
from tests.stack import Stack

expect.set_options(timeout=30_000)
SMOKE = "test_smoke.py"
"""What `make test` looks at; the other pages belong to `make test-all`."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents and item.path.name != SMOKE:
            item.add_marker(pytest.mark.full)


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """A browser of this test's own."""
    async with chromium() as opened:
        yield opened


@pytest.fixture
async def local(running: tuple[Stack, Receiver], browser: Browser) -> AsyncIterator[Tab]:
    """A tab on the API of `running`, which lets everybody on this machine in as `local`.

    It must not complain.
    """
    opened = await tab(browser, running[0].base)
    yield opened
    opened.check()
