"""Fixtures that every test can ask for; the services behind them start when the first test does."""

from tests.services import database_url, endpoints, topics_prefix
from tests.stack import running

__all__ = ["database_url", "endpoints", "running", "topics_prefix"]
