"""Faust tables: counters of a window of time, kept in RocksDB and rebuilt from their changelog topics.

A table is a cache: what has to be exact for longer than some minutes is in PostgreSQL.
"""

from collections.abc import Sequence
from functools import partial

from notistream.app import NotiStream
from notistream.domain.notification import CHANNELS, Status
from notistream.observability import metrics
from notistream.tables import channel_stats, rate_limits, rebuild

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


def declare(app: NotiStream) -> None:
    """Declare the tables and hand them to the runtime, before the app starts."""

    async def write(topic: str, partition: int, records: Sequence[tuple[bytes, bytes]]) -> int:
        return await app.runtime.relay.append(topic, partition, records)

    app.runtime.usage = rate_limits.declare(app, write)
    stats = channel_stats.declare(app, write)
    app.runtime.count = stats.add
    for channel in CHANNELS:
        for status in ENDINGS:
            metrics.ENDINGS.labels(channel, status.value).set_function(
                partial(stats.per_second, channel, status.value)
            )
