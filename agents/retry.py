"""One agent per channel for short waits: a timer enqueues the notification when it is due.

The agent never sleeps, and timers are only the fast path: `due_at` in PostgreSQL is the truth, and
the scheduler finds what a lost timer would have enqueued.
"""

import asyncio
import logging
import time

from faust.types import EventT, StreamT

from notistream.agents.delivery import open_wake_up, traced
from notistream.app import NotiStream
from notistream.delivery.ports import Turn
from notistream.domain.notification import CHANNELS, Priority
from notistream.errors import DatabaseUnavailable
from notistream.kafka.topic_names import retry_topic
from notistream.observability import tracing

log = logging.getLogger(__name__)
LONGEST_S = 90.0


def declare(app: NotiStream) -> None:
    """Declare the retry agents of all channels, before the app starts."""
    for channel in CHANNELS:
        _declare(app, channel)


def _declare(app: NotiStream, channel: str) -> None:
    async def retry(stream: StreamT[bytes]) -> None:
        async for event in app.unacknowledged(stream).events():
            await receive(app, channel, event)
            del event

    app.agent(app.raw_topic(retry_topic(channel)), name=f"retry-{channel}", concurrency=1)(retry)


async def receive(app: NotiStream, channel: str, event: EventT[bytes]) -> None:
    """Set the timer of one record and acknowledge it."""
    opened = await open_wake_up(app, app.lanes[channel, Priority.NORMAL], channel, event)
    if opened is not None:
        wake_up, settle = opened
        traceparent, _ = traced(event.message.headers)
        span = tracing.below(traceparent, f"wait {channel}", kind=tracing.CONSUMER)
        span.note(notification_id=str(wake_up.id))
        set_timer(app, Turn(wake_up.id, wake_up.seq), (wake_up.due_at or 0.0) - time.time(), span)
        settle()


def set_timer(
    app: NotiStream, turn: Turn, delay_s: float, span: tracing.Spanning = tracing.NOTHING
) -> None:
    """Enqueue the turn in `delay_s` seconds; the scheduler takes waits that are too long."""
    if delay_s > LONGEST_S:
        span.end()
        return
    asyncio.get_running_loop().call_later(
        max(delay_s, 0.0), lambda: app.add_future(_queue(app, turn, span))
    )


async def _queue(app: NotiStream, turn: Turn, span: tracing.Spanning) -> None:
    early_s = None
    try:
        early_s = await app.runtime.ledger.wake_up(turn)
    except DatabaseUnavailable:
        return  # the scheduler will find it
    except Exception:
        log.exception("timer failed; the scheduler takes over")
        return
    finally:
        if early_s is None:
            span.end()
    if early_s is not None:
        set_timer(app, turn, early_s, span)
