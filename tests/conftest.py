"""Fixtures that every test can ask for, whose services start when the first test does.

And the time of a run.
"""

import os
import time
from pathlib import Path

import pytest

from tests.services import database_url, endpoints, topics_prefix
from tests.stack import running

__all__ = ["database_url", "endpoints", "running", "topics_prefix"]

BEGIN_BY = float(os.environ.get("TEST_BEGIN_BY", "inf"))
"""Seconds since 1970 after which no test begins: CI ends in time on a slow machine too, and says
what it left out.
"""


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The test runs in an empty folder, without `.env`, and without settings of the caller's."""
    for name in list(os.environ):
        if name.startswith("NOTISTREAM_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Called by pytest before each test."""
    if time.time() > BEGIN_BY:
        pytest.skip("the time of this run is used up (TEST_BEGIN_BY)")
