"""The event feed: reads new records of the topic `events` for the listeners of this process."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

from notistream.domain.event import Events, decode_events
from notistream.kafka import clients
from notistream.kafka.connection import Kafka
from notistream.kafka.topic_names import EVENTS
from notistream.observability import metrics

log = logging.getLogger(__name__)

RECONNECT_S = 1.0
POLL_MS = 1000
FETCH_WAIT_MS = 100
REQUEST_TIMEOUT_MS = 5_000
FIRST_TRY_S = 3.0
ASSIGNMENT_POLL_S = 0.02


class EventFeed:
    """A consumer without a group that starts with the first listener.

    It reconnects after every failure. Records that arrive between a failure and the next start are
    skipped, so a listener that must not miss anything also reads the database.
    """

    def __init__(self, *, kafka: Kafka, prefix: str, deliver: Callable[[Events], None]) -> None:
        self._kafka = kafka
        self._topic = f"{prefix}.{EVENTS}"
        self._deliver = deliver
        self._task: asyncio.Task[None] | None = None
        self._tried = asyncio.Event()
        self.reading = False

    async def begin(self) -> None:
        """Start reading; return when the consumer reads, or after the first failed try."""
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        with suppress(TimeoutError):
            await asyncio.wait_for(self._tried.wait(), FIRST_TRY_S)

    async def close(self) -> None:
        """Stop reading."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        while True:
            try:
                await self._read()
            except (KafkaError, OSError) as exc:
                log.warning(
                    "event feed cannot read; retrying",
                    extra={"topic": self._topic, "error": repr(exc)},
                )
            except Exception:
                log.exception("event feed failed; restarting")
            self._tried.set()
            await asyncio.sleep(RECONNECT_S)

    async def _read(self) -> None:
        consumer = clients.consumer(
            self._kafka,
            auto_offset_reset="latest",
            request_timeout_ms=REQUEST_TIMEOUT_MS,
            fetch_max_wait_ms=FETCH_WAIT_MS,
            client_id="notistream-events",
        )
        try:
            await consumer.start()
            await self._seek_end(consumer)
            self.reading = True
            self._tried.set()
            while True:
                for records in (await consumer.getmany(timeout_ms=POLL_MS)).values():
                    for record in records:
                        self._take(record.value)
                        await asyncio.sleep(0)  # let listeners send before the next record
                metrics.EVENTS_LAG.set(await _lag(consumer))
        finally:
            self.reading = False
            await consumer.stop()

    async def _seek_end(self, consumer: AIOKafkaConsumer) -> None:
        """Start every partition at its end; partitions that are added later are read as well."""
        while (
            self._topic not in await consumer.topics()
        ):  # a request for this topic alone could create it
            self._tried.set()
            await asyncio.sleep(RECONNECT_S)
        consumer.subscribe([self._topic])
        while not consumer.assignment():
            await asyncio.sleep(ASSIGNMENT_POLL_S)
        for tp in consumer.assignment():
            await consumer.position(tp)

    def _take(self, value: bytes | None) -> None:
        try:
            self._deliver(decode_events(value))
        except ValueError as exc:
            log.warning(
                "record skipped: not an event", extra={"topic": self._topic, "error": str(exc)}
            )


async def _lag(consumer: AIOKafkaConsumer) -> int:
    """Return how many records are not yet read."""
    behind = 0
    for tp in consumer.assignment():
        end = consumer.highwater(tp)
        behind += max((end or 0) - await consumer.position(tp), 0) if end is not None else 0
    return behind
