"""Agents and background tasks, declared by name: Faust's autodiscovery hides modules that fail."""

from notistream.agents import dead_letter, delivery, events, maintenance, retry, watch
from notistream.app import NotiStream

__all__ = ["declare", "watch"]


def declare(app: NotiStream) -> None:
    """Declare everything that a worker runs, before it starts."""
    for module in (delivery, retry, dead_letter, events, maintenance):
        module.declare(app)
