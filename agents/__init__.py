"""Agents and background tasks.

Named here, because Faust's autodiscovery hides modules that fail to import.
"""

from notistream.agents import dead_letter, delivery, events, maintenance, retry, watch

__all__ = ["dead_letter", "delivery", "events", "maintenance", "retry", "watch"]
