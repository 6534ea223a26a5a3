"""Replay straight from Kafka: produces or queues again what a range of offsets of a topic holds."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError
from aiokafka.structs import ConsumerRecord, TopicPartition

from notistream.db import audit_log, dead_letters
from notistream.db.pool import Database
from notistream.dead_letters.letters import DeadLetters
from notistream.errors import KafkaUnavailable, NotFound
from notistream.kafka import clients
from notistream.kafka.connection import Kafka
from notistream.kafka.dead_letter import (
    OVERSIZE,
    BadRecord,
    Consumed,
    FailedDelivery,
    dead_letter,
    time_of,
)
from notistream.kafka.outbox import Record
from notistream.kafka.topic_names import TOPICS

RECORDS_AT_ONCE = 200
TIMEOUT_MS = 10_000
LARGEST = (
    2**20 + 512
)  # a topic cannot hold much more by default; the broker says so where it is too much
DLQ = ".dlq"


@dataclass(frozen=True, slots=True)
class Range:
    """Offsets of a partition, both ends included; the topic with or without the prefix."""

    topic: str
    partition: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class TopicOutcome:
    """What was found and done; of a dry run, what would be."""

    begin: int
    """The first offset that Kafka still has of those asked for."""
    end: int
    """Where the range ends, not included."""
    produced: int = 0
    replayed: int = 0
    skipped: Mapping[str, int] = field(default_factory=dict)
    """How many, by reason."""


class TopicReplay:
    """Reads without a consumer group, so that no group's position on the topic changes."""

    def __init__(
        self, database: Database, letters: DeadLetters, *, kafka: Kafka, prefix: str
    ) -> None:
        self._database = database
        self._letters = letters
        self._kafka = kafka
        self._prefix = prefix

    async def run(
        self,
        wanted: Range,
        *,
        actor: str,
        dry_run: bool,
        on_read: Callable[[int, int], None] = lambda *_: None,
    ) -> TopicOutcome:
        """Replay the range; `on_read` gets how many offsets were read, and of how many.

        Raises:
            NotFound: no such topic of ours, or no such partition.
            KafkaUnavailable: no broker answered, or a record did not arrive in time; what was done
              stays done.
        """
        name = wanted.topic.removeprefix(f"{self._prefix}.")
        if name not in TOPICS:
            raise NotFound(f"{wanted.topic} is not a topic of ours; they are {', '.join(TOPICS)}")
        tp = TopicPartition(f"{self._prefix}.{name}", wanted.partition)
        async with self._clients() as (consumer, producer):
            topic = _Topic(name, self._prefix, await self._partitions(tp))
            begin, end = await self._bounds(consumer, tp, wanted)
            work = _Work(self._database, self._letters, producer, topic, dry_run=dry_run)
            if not dry_run:
                await audit_log.record(
                    self._database,
                    actor,
                    "dlq.replay",
                    f"{tp.topic}/{tp.partition}",
                    {"from": wanted.first, "to": wanted.last},
                )
            async for records, at in self._read(consumer, tp, begin, end):
                await work.do(records)
                on_read(min(at, end) - begin, end - begin)
        return TopicOutcome(begin, end, work.produced, work.replayed, dict(work.skipped))

    @asynccontextmanager
    async def _clients(self) -> AsyncIterator[tuple[AIOKafkaConsumer, AIOKafkaProducer]]:
        consumer = clients.consumer(
            self._kafka, auto_offset_reset="earliest", request_timeout_ms=TIMEOUT_MS
        )
        producer = clients.producer(
            self._kafka, max_request_size=LARGEST, request_timeout_ms=TIMEOUT_MS
        )
        try:
            await consumer.start()
            await producer.start()
            yield consumer, producer
        except (KafkaError, OSError) as exc:
            raise KafkaUnavailable(f"Kafka at {self._kafka} did not answer: {exc!r}") from exc
        finally:
            await consumer.stop()
            await producer.stop()

    async def _partitions(self, tp: TopicPartition) -> int:
        """How many the topic has."""
        admin = clients.admin(self._kafka, request_timeout_ms=TIMEOUT_MS)
        try:
            await admin.start()
            described = await clients.described_topics(admin)
            found = {topic["topic"]: len(topic["partitions"]) for topic in described}
        finally:
            await admin.close()
        if tp.partition >= found.get(tp.topic, 0):
            raise NotFound(
                f"{tp.topic} has {found.get(tp.topic, 0)} partitions; there is no number"
                f" {tp.partition}"
            )
        return found[tp.topic]

    async def _bounds(
        self, consumer: AIOKafkaConsumer, tp: TopicPartition, wanted: Range
    ) -> tuple[int, int]:
        consumer.assign([tp])
        oldest = (await consumer.beginning_offsets([tp]))[tp]
        newest = (await consumer.end_offsets([tp]))[tp]
        begin = min(max(wanted.first, oldest), newest)
        return begin, max(min(wanted.last + 1, newest), begin)

    async def _read(
        self, consumer: AIOKafkaConsumer, tp: TopicPartition, begin: int, end: int
    ) -> AsyncIterator[tuple[Sequence[ConsumerRecord], int]]:
        """The records in portions, and the offset after each.

        Offsets without a record are passed over.
        """
        consumer.seek(tp, begin)
        at = begin
        while at < end:
            got = await consumer.getmany(tp, timeout_ms=TIMEOUT_MS, max_records=RECORDS_AT_ONCE)
            records = got.get(tp, [])
            before, at = at, await consumer.position(tp)
            if at == before:
                raise KafkaUnavailable(
                    f"Kafka at {self._kafka} gave no record of {tp.topic}/{tp.partition} in time"
                )
            yield [record for record in records if record.offset < end], at


@dataclass(frozen=True, slots=True)
class _Topic:
    """A topic of ours: its name without the prefix, the prefix, and how many partitions it has."""

    name: str
    prefix: str
    partitions: int


class _Work:
    """What is done with the records, and what has been done."""

    def __init__(
        self,
        database: Database,
        letters: DeadLetters,
        producer: AIOKafkaProducer,
        topic: _Topic,
        *,
        dry_run: bool,
    ) -> None:
        self._database = database
        self._letters = letters
        self._producer = producer
        self._topic = topic
        self._dry_run = dry_run
        self.produced = 0
        self.replayed = 0
        self.skipped: Counter[str] = Counter()

    async def do(self, records: Sequence[ConsumerRecord]) -> None:
        found = [consumed(record) for record in records]
        if not self._topic.name.endswith(DLQ):
            await self._produce(found)
            return
        channel = self._topic.name.removesuffix(DLQ)
        letters = [dead_letter(channel, record) for record in found]
        foreign = {f"{self._topic.prefix}.{self._topic.name}"}
        bad = [one for one in letters if isinstance(one, BadRecord) and one.topic not in foreign]
        failed = [one for one in letters if isinstance(one, FailedDelivery)]
        self._skip("neither form of a dead letter", len(letters) - len(bad) - len(failed))
        await self._replay(failed)
        await self._send_back(bad)

    async def _replay(self, failed: Sequence[FailedDelivery]) -> None:
        if self._dry_run:
            self.replayed += len(failed)
        elif failed:
            await self._letters.restore(failed)
            outcome = await self._letters.replay_listed([one.id for one in failed])
            self.replayed += outcome.replayed
            self._skip("replayed before, deleted, or not failed any more", outcome.skipped)

    async def _send_back(self, bad: Sequence[BadRecord]) -> None:
        whole = [
            one for one in bad if one.value or not any(name == OVERSIZE for name, _ in one.headers)
        ]
        self._skip("too large for Kafka: only its row has the bytes", len(bad) - len(whole))
        ours = [one for one in whole if self._is_ours(one.topic)]
        self._skip("of a topic that is not ours", len(whole) - len(ours))
        sent = await self._produce(ours)
        if not self._dry_run and sent:
            await self._letters.restore(ours)
            await dead_letters.mark_replayed(
                self._database, [one.id for one, done in zip(ours, sent, strict=True) if done]
            )

    def _is_ours(self, topic: str) -> bool:
        return (
            topic.startswith(f"{self._topic.prefix}.")
            and topic.removeprefix(f"{self._topic.prefix}.") in TOPICS
        )

    async def _produce(self, records: Sequence[Consumed | BadRecord]) -> Sequence[bool]:
        """Put them where they were; which of them Kafka took."""
        if self._dry_run:
            self.produced += len(records)
            return []
        sent = await asyncio.gather(
            *[await self._send(record) for record in records], return_exceptions=True
        )
        for failure in sent:
            if isinstance(failure, BaseException) and not isinstance(
                failure, MessageSizeTooLargeError
            ):
                raise failure
        taken = [not isinstance(answer, BaseException) for answer in sent]
        self.produced += sum(taken)
        self._skip("too large to be produced again", len(taken) - sum(taken))
        return taken

    async def _send(self, found: Consumed | BadRecord) -> "asyncio.Future[object]":
        record = Record(found.key, found.value, tuple(found.headers))
        try:
            sent: asyncio.Future[object] = await self._producer.send(
                found.topic,
                record.payload,
                key=record.key,
                headers=list(record.headers),
                partition=found.partition % self._topic.partitions,
            )
        except MessageSizeTooLargeError as exc:
            sent = asyncio.get_running_loop().create_future()
            sent.set_exception(exc)
        return sent

    def _skip(self, reason: str, count: int) -> None:
        if count:
            self.skipped[reason] += count


def consumed(record: ConsumerRecord) -> Consumed:
    """A record as the client read it."""
    return Consumed(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        at=time_of(record.timestamp / 1000 if record.timestamp else None),
        key=record.key,
        value=record.value,
        headers=record.headers,
    )
