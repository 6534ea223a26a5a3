"""Ids as places in time: a UUIDv7 begins with the clock of the process that made it."""

from datetime import datetime, timedelta
from uuid import UUID

FIRST, LAST = UUID(int=0), UUID(int=2**128 - 1)
CLOCKS_APART = timedelta(minutes=10)
"""By how much the clock of an API process, which ids carry, may differ from the database's."""


def id_at(moment: datetime, *, later: timedelta = timedelta(0)) -> UUID:
    """The least UUIDv7 of a moment, or of one that much later."""
    return UUID(int=max(int((moment.timestamp() + later.total_seconds()) * 1000), 0) << 80)
