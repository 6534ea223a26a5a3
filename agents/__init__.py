"""Agents and background tasks; named here, because Faust's autodiscovery hides modules that fail to import."""

from agents import delivery, maintenance, retry

__all__ = ["delivery", "maintenance", "retry"]
