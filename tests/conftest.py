"""Fixtures that every test can ask for, whose services start when the first test does; and the time of a run."""

import os
import time

import pytest

from tests.services import database_url, endpoints, topics_prefix
from tests.stack import running

__all__ = ["database_url", "endpoints", "running", "topics_prefix"]

BEGIN_BY = float(os.environ.get("TEST_BEGIN_BY", "inf"))
"""Seconds since 1970 after which no test begins: CI ends in time on a slow machine too, and says what it left out."""


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Called by pytest before each test."""
    if time.time() > BEGIN_BY:
        pytest.skip("the time of this run is used up (TEST_BEGIN_BY)")
