"""The relay: publishes outbox entries to Kafka and deletes them once the broker has them."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from dataclasses import replace

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from notistream.db import outbox
from notistream.db.group_commit import GroupCommit
from notistream.db.pool import Database
from notistream.errors import DatabaseUnavailable
from notistream.kafka import clients
from notistream.kafka.connection import Kafka
from notistream.kafka.dead_letter import OVERSIZE
from notistream.kafka.outbox import OutboxEntry, Record
from notistream.observability import metrics, tracing
from notistream.publishing.windows import Windows

log = logging.getLogger(__name__)

MAX_OUTSTANDING = 50_000
MAX_LEFTOVERS = 5_000
APPEND_RECORDS = 50
MAX_RECORD = 1_000_000  # a broker's own limit is a little higher
AFTER_FAILURE_S = 5.0
REQUEST_TIMEOUT_MS = 10_000
RECONNECT_S = 1.0
DELETE_PAUSE_S = 0.25  # nobody waits for it; leftovers are taken after ten seconds only
WATCH_S = 0.25
CLOSE_S = 5.0


class Relay:
    """Publishes in the order of `publish` calls.

    What it cannot publish stays in the outbox for a later poll. What a lane has no room for is held
    there; see `publishing.windows`.
    """

    def __init__(self, *, kafka: Kafka, prefix: str, database: Database, windows: Windows) -> None:
        self._kafka = kafka
        self._prefix = prefix
        self._database = database
        self._windows = windows
        self._producer: AIOKafkaProducer | None = None
        self._queue: deque[OutboxEntry] = deque()
        self._outstanding = 0
        self._wake = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._deleted: GroupCommit[int, None] = GroupCommit(
            self._delete, max_size=5000, pause=lambda *_: DELETE_PAUSE_S
        )
        self._to_hold: GroupCommit[int, None] = GroupCommit(self._hold, max_size=5000)
        self._closing = False
        self._failed_at = -AFTER_FAILURE_S

    def start(self) -> None:
        """Connect in the background; until then entries stay in the outbox."""
        self._spawn(self._run())
        self._spawn(self._watch())

    def publish(self, entries: Sequence[OutboxEntry]) -> None:
        """Publish committed entries that their lanes admit, and hold the rest; returns at once."""
        if self._producer is None or self._closing:
            return
        going: list[OutboxEntry] = []
        held: list[OutboxEntry] = []
        for entry in entries:
            (going if self._windows.admit(entry) else held).append(entry)
        self.publish_released(going)
        if held:
            self._windows.hold(held)
            for entry in held:
                metrics.HELD_BACK.inc(len(entry.records))
                self._spawn(self._hold_back(entry))

    def publish_released(self, entries: Sequence[OutboxEntry]) -> None:
        """Publish entries that their lanes have admitted."""
        for entry in entries:
            if self._producer is None or self._outstanding >= MAX_OUTSTANDING:
                self._windows.published(entry)  # a leftover, in ten seconds
                continue
            self._outstanding += len(entry.records)
            self._queue.append(entry)
        self._wake.set()

    async def append(
        self, topic: str, partition: int, records: Sequence[tuple[bytes, bytes]]
    ) -> int:
        """Append (key, value) records to a partition of a topic (its full name); the last offset.

        Raises:
            ConnectionError: Kafka is not connected, or did not take them.
        """
        if self._producer is None:
            raise ConnectionError("Kafka is not connected yet")
        offset = -1
        try:
            for at in range(0, len(records), APPEND_RECORDS):
                batch = self._producer.create_batch()
                for key, value in records[at : at + APPEND_RECORDS]:
                    batch.append(key=key, value=value, timestamp=None)
                batch.close()
                sent = await (await self._producer.send_batch(batch, topic, partition=partition))
                offset = sent.offset + batch.record_count() - 1
        except (KafkaError, OSError) as exc:
            raise ConnectionError(f"Kafka did not take {len(records)} records for {topic}") from exc
        return offset

    @property
    def takes_leftovers(self) -> bool:
        """Whether leftovers would be published now: connected, not behind, no recent failure."""
        recently_failed = time.monotonic() - self._failed_at < AFTER_FAILURE_S
        return (
            self._producer is not None and not recently_failed and self._outstanding < MAX_LEFTOVERS
        )

    async def check(self) -> None:
        """Ask a broker for its metadata.

        Raises:
            ConnectionError: no broker answered in two seconds.
        """
        if self._producer is None:
            raise ConnectionError(f"no connection to {self._kafka} yet")
        try:
            async with asyncio.timeout(2):
                await self._producer.client.fetch_all_metadata()
        except (KafkaError, TimeoutError, OSError) as exc:
            raise ConnectionError(f"{self._kafka}: {exc or 'timed out'}") from exc

    async def close(self) -> None:
        """Publish what is queued, for at most five seconds; the rest stays in the outbox."""
        self._closing = True
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                while self._outstanding and self._producer is not None:
                    await asyncio.sleep(0.02)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._producer is not None:
            with suppress(TimeoutError, KafkaError):
                await asyncio.wait_for(self._producer.stop(), CLOSE_S)

    async def _run(self) -> None:
        self._producer = await self._connected()
        while True:
            while self._queue:
                await self._send(self._producer, self._queue.popleft())
            self._wake.clear()
            await self._wake.wait()

    async def _watch(self) -> None:
        """Keep the windows fresh while there is traffic that fills them."""
        while True:
            await asyncio.sleep(WATCH_S)
            if self._windows.stale:
                try:
                    await self._windows.refresh()
                except DatabaseUnavailable:
                    continue
                except Exception:
                    log.exception("the windows stay as they were")

    async def _hold_back(self, entry: OutboxEntry) -> None:
        try:
            with suppress(DatabaseUnavailable):  # a leftover then, which comes here again
                await self._to_hold.submit(entry.id)
        finally:
            self._windows.confirm(entry)

    async def _hold(self, ids: Sequence[int]) -> Sequence[None]:
        await outbox.hold(self._database, ids)
        return [None] * len(ids)

    async def _connected(self) -> AIOKafkaProducer:
        while True:
            # Not idempotent: with it, aiokafka never recovers from a failed batch.
            producer = clients.producer(
                self._kafka,
                linger_ms=0,
                request_timeout_ms=REQUEST_TIMEOUT_MS,
                max_request_size=MAX_RECORD,
                client_id="notistream-relay",
            )
            try:
                await producer.start()
            except (KafkaError, OSError) as exc:
                log.warning(
                    "kafka is not reachable",
                    extra={"brokers": self._kafka.brokers, "error": str(exc)},
                )
                await producer.stop()
                await asyncio.sleep(RECONNECT_S)
            else:
                return producer

    async def _send(self, producer: AIOKafkaProducer, entry: OutboxEntry) -> None:
        topic = f"{self._prefix}.{entry.topic}"
        sent: list[asyncio.Future[object]] = []
        try:
            for record in entry.records:
                sent.append(
                    await (_traced if tracing.active() else _produce)(producer, topic, record)
                )
        except Exception as exc:  # noqa: BLE001 - the entries behind this one must go on
            self._leave(entry, exc)
        else:
            self._spawn(self._confirm(entry, sent))

    async def _confirm(self, entry: OutboxEntry, sent: Sequence["asyncio.Future[object]"]) -> None:
        results = await asyncio.gather(*sent, return_exceptions=True)
        failed = next((r for r in results if isinstance(r, BaseException)), None)
        if failed is not None:
            self._leave(entry, failed)
            return
        self._windows.published(entry)
        metrics.PUBLISHED.inc(len(entry.records))
        try:
            with suppress(DatabaseUnavailable):  # published twice then, with the same id and seq
                await self._deleted.submit(entry.id)
        finally:
            self._outstanding -= len(entry.records)

    def _leave(self, entry: OutboxEntry, error: BaseException) -> None:
        self._outstanding -= len(entry.records)
        self._windows.published(entry)
        self._failed_at = time.monotonic()
        metrics.PUBLISH_FAILED.inc()
        log.warning(
            "outbox entry left for later", extra={"topic": entry.topic, "error": repr(error)}
        )

    async def _delete(self, ids: Sequence[int]) -> Sequence[None]:
        await outbox.delete(self._database, ids)
        return [None] * len(ids)

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _traced(
    producer: AIOKafkaProducer, topic: str, record: Record
) -> "asyncio.Future[object]":
    """As `_produce`, in a span that ends at the broker's answer; the record carries the span on."""
    span = tracing.below(tracing.carried(record.headers), f"publish {topic}", kind=tracing.PRODUCER)
    if span.traceparent is None:
        return await _produce(producer, topic, record)
    others = [header for header in record.headers if header[0] != tracing.TRACEPARENT]
    headers = (*others, (tracing.TRACEPARENT, span.traceparent.encode()))
    sent = await _produce(producer, topic, replace(record, headers=headers))
    sent.add_done_callback(span.end)
    return sent


async def _produce(
    producer: AIOKafkaProducer, topic: str, record: Record
) -> "asyncio.Future[object]":
    """Send one record; a dead letter that is too large goes without its bytes: a row has them."""
    headers = list(record.headers)
    try:
        sent: asyncio.Future[object] = await producer.send(
            topic, record.payload, key=record.key, headers=headers
        )
    except MessageSizeTooLargeError:
        known = [(name, text) for name, text in headers if name.startswith("dlq.")]
        sent = await producer.send(
            topic, b"", headers=[*known, (OVERSIZE, str(len(record.value or b"")).encode())]
        )
    return sent
