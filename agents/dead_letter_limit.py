"""The limit on dead letters: while DLQ_LIMIT is used up, a lane stops until somebody has looked."""

import asyncio
import logging
import time

from notistream.app import NotiStream
from notistream.delivery.lanes import Lane
from notistream.observability import metrics

log = logging.getLogger(__name__)
LOOK_S = 0.05


async def room(app: NotiStream, lane: Lane, channel: str) -> bool:
    """Wait until the channel may have one more dead letter; False where the lane was released.

    The record stays unacknowledged, and so do those behind it: somebody has to look at what makes
    so many bad.
    """
    limit = app.runtime.dead_letter_limits[channel]
    if limit.take(time.monotonic()):
        return True
    log.error(
        "lane stopped: too many records that cannot be decoded. See `notistream dlq list`; mend or"
        " stop whoever writes them, then `notistream dlq replay`. It goes on by itself at"
        " NOTISTREAM_DLQ_LIMIT",
        extra={"lane": lane.name, "channel": channel, "limit": str(limit.rate)},
    )
    metrics.LANE_STOPPED.labels(channel).inc()
    try:
        with lane.declared_wait():
            while lane.is_open:
                if limit.take(time.monotonic()):
                    return True
                await asyncio.sleep(LOOK_S)
    finally:
        metrics.LANE_STOPPED.labels(channel).dec()
    return False
