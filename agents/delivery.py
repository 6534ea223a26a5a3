"""One agent per channel and priority: decodes records and hands them to their lane, in order."""

import logging
from collections.abc import Callable

from faust.types import EventT, StreamT
from uuid_utils.compat import uuid7

from notistream.agents import dead_letter_limit
from notistream.app import NotiStream
from notistream.db import dead_letters
from notistream.delivery.lanes import Lane, QueuedTurn
from notistream.delivery.ports import Origin, Turn
from notistream.domain.notification import Priority
from notistream.kafka.dead_letter import BadRecord
from notistream.kafka.topic_names import LANES, lane_topic
from notistream.kafka.wake_up import UndecodableError, WakeUp, decode_wake_up
from notistream.observability import metrics, tracing

log = logging.getLogger(__name__)


def declare(app: NotiStream) -> None:
    """Declare the agents of all lanes, before the app starts."""
    for channel, priority in LANES:
        _declare(app, channel, priority)


def _declare(app: NotiStream, channel: str, priority: Priority) -> None:
    async def deliver(stream: StreamT[bytes]) -> None:
        # Raw bytes and manual acknowledgement: a record that is refused by a serializer, or whose
        # body raises, would be acknowledged on its own.
        async for event in app.unacknowledged(stream).events():
            await receive(app, app.lanes[channel, priority], channel, event)
            del event  # the lane holds it now, or has released it

    app.agent(
        app.raw_topic(lane_topic(channel, priority)),
        name=f"deliver-{channel}-{priority.value}",
        concurrency=1,
    )(deliver)


async def receive(app: NotiStream, lane: Lane, channel: str, event: EventT[bytes]) -> None:
    """Hand one record to its lane.

    Waits for room, never raises, and never acknowledges what is not settled.
    """
    opened = await open_wake_up(app, lane, channel, event)
    if opened is not None:
        wake_up, settle = opened
        message = event.message
        key = message.key or wake_up.id.bytes
        origin = Origin(
            message.topic, message.partition, message.offset, key, event, *traced(message.headers)
        )
        await lane.put(QueuedTurn(Turn(wake_up.id, wake_up.seq), origin, settle))


async def open_wake_up(
    app: NotiStream, lane: Lane, channel: str, event: EventT[bytes]
) -> tuple[WakeUp, Callable[[], None]] | None:
    """The message of a record and what settles it.

    None where it became a dead letter, or was released for a rebalance.
    """
    if not await app.admits(event, lane):
        return None
    settle = app.track(event)
    try:
        return decode_wake_up(event.message.value), settle
    except UndecodableError as exc:
        await dead_letter_record(app, lane, channel, event, reason=str(exc), settle=settle)
        return None


async def dead_letter_record(
    app: NotiStream,
    lane: Lane,
    channel: str,
    event: EventT[bytes],
    *,
    reason: str,
    settle: Callable[[], None],
) -> None:
    """Store an undecodable record as a dead letter, byte for byte, then settle it."""
    record = _bad_record(channel, event, reason)

    async def store() -> bool:
        app.runtime.relay.publish(await dead_letters.store_record(app.runtime.database, record))
        return True

    if await dead_letter_limit.room(app, lane, channel) and await lane.persist(store, settle):
        metrics.UNDECODABLE.labels(channel).inc()
        log.warning(
            "undecodable record stored as a dead letter",
            extra={
                "topic": record.topic,
                "partition": record.partition,
                "offset": record.offset,
                "reason": reason,
            },
        )


def _bad_record(channel: str, event: EventT[bytes], reason: str) -> BadRecord:
    message = event.message
    return BadRecord(
        id=uuid7(),
        channel=channel,
        reason=f"undecodable: {reason}",
        topic=message.topic,
        partition=message.partition,
        offset=message.offset,
        key=message.key,
        value=message.value,
        headers=headers_of(message.headers),
    )


def traced(headers: object) -> tuple[str | None, int | None]:
    """The traceparent of a record and the time now, where its trace is sampled."""
    traceparent = tracing.carried(headers_of(headers)) if tracing.active() else None
    return traceparent, tracing.now_ns() if traceparent else None


def headers_of(headers: object) -> list[tuple[str, bytes | None]]:
    """Headers of a record, which Faust hands over as a mapping, as pairs, or as nothing."""
    pairs = headers.items() if isinstance(headers, dict) else headers or ()
    return [(str(name), value) for name, value in pairs]  # type: ignore[attr-defined]
