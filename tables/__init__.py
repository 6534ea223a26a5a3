"""Faust tables: counts per window of time, kept in RocksDB, rebuilt from changelog topics.

A table is a cache: what has to be exact for longer than some minutes is in PostgreSQL.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from notistream.app import NotiStream
from notistream.delivery.ports import Origin
from notistream.domain.notification import CHANNELS, Status
from notistream.observability import metrics
from notistream.tables import channel_stats, rate_limits, rebuild
from notistream.tables.rate_limits import RecipientUsageTable

ENDINGS = (
    Status.DELIVERED,
    Status.RETRYING,
    Status.DEFERRED,
    Status.FAILED,
    Status.SUPPRESSED,
    Status.EXPIRED,
    Status.UNKNOWN,
)
__all__ = ["channel_stats", "declare", "rate_limits", "rebuild"]


@dataclass(frozen=True, slots=True)
class Counters:
    """What a worker's lanes count with."""

    usage: RecipientUsageTable
    count: Callable[[str, Status, Origin], None]


def declare(app: NotiStream) -> Counters:
    """Declare the tables, before the app starts."""
    append = app.runtime.relay.append
    usage = rate_limits.declare(app, append)
    stats = channel_stats.declare(app, append)
    for channel in CHANNELS:
        for status in ENDINGS:
            metrics.ENDINGS.labels(channel, status.value).set_function(
                partial(stats.per_second, channel, status.value)
            )
    return Counters(usage, stats.add)
