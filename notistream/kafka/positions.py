"""Where our consumer group is on Kafka: how far each lane is, and how old its oldest record is."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic

from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError, KafkaError
from aiokafka.structs import ConsumerRecord, OffsetAndMetadata, TopicPartition

from notistream.errors import KafkaUnavailable
from notistream.kafka import clients
from notistream.kafka.connection import Kafka
from notistream.kafka.topic_names import LANES, lane_topic

TIMEOUT_S = 5.0
BEGINNINGS_KEPT_S = 10.0
COORDINATOR_RETRY_S = 0.2
RECORDS_AT_ONCE = 1000
FETCHED_AT_ONCE = 8 * 1024 * 1024

Place = tuple[str, int]
"""A lane's topic, without the prefix, and a partition of it."""


@dataclass(frozen=True, slots=True)
class LanePosition:
    """Offsets of a lane, summed over its partitions.

    What retention or a person deleted counts as committed.
    """

    committed: int
    end: int

    @property
    def lag(self) -> int:
        """Records that nobody has acknowledged."""
        return self.end - self.committed


@dataclass(frozen=True, slots=True)
class Unacknowledged:
    """Records of a partition: from `begin`, the next to be acknowledged, to before `end`."""

    begin: int
    end: int


class Positions:
    """Answers with two round trips to Kafka; keeps its clients open, reopens them after errors."""

    def __init__(self, *, kafka: Kafka, prefix: str, group: str) -> None:
        self._kafka = kafka
        self._prefix = prefix
        self._group = group
        self._lock = asyncio.Lock()
        self._clients: _Clients | None = None

    async def lanes(self) -> Mapping[str, LanePosition]:
        """Position of every lane, by topic without the prefix.

        Raises:
            KafkaUnavailable: no answer within five seconds.
        """
        found: dict[str, LanePosition] = {}
        for (topic, _), span in (await self.unacknowledged()).items():
            lane = found.get(topic, LanePosition(0, 0))
            found[topic] = LanePosition(lane.committed + span.begin, lane.end + span.end)
        return found

    async def unacknowledged(self) -> Mapping[Place, Unacknowledged]:
        """What is not acknowledged, for every partition of every lane (topic without the prefix).

        Raises:
            KafkaUnavailable: no answer within five seconds.
        """
        async with self._lock:
            try:
                async with asyncio.timeout(TIMEOUT_S):
                    if self._clients is None:
                        self._clients = await _open(self._kafka, self._prefix, self._group)
                    spans = await self._clients.spans()
            except BaseException as exc:
                await self._close()
                if isinstance(exc, KafkaError | OSError):  # TimeoutError is an OSError
                    raise KafkaUnavailable(
                        f"Kafka at {self._kafka} did not answer: {exc!r}"
                    ) from exc
                raise
        return {
            (tp.topic.removeprefix(f"{self._prefix}."), tp.partition): span
            for tp, span in spans.items()
        }

    async def oldest(self) -> Mapping[Place, datetime | None]:
        """When the oldest unacknowledged record of each partition was produced.

        None where there is none.

        Raises:
            KafkaUnavailable: no answer, or a record did not arrive in time.
        """
        spans = await self.unacknowledged()
        found: dict[Place, datetime | None] = dict.fromkeys(spans)
        wanted = set(spans)
        async with aclosing(self.read(spans, wanted)) as portions:
            async for place, records in portions:
                found[place] = datetime.fromtimestamp(records[0].timestamp / 1000, UTC)
                wanted.discard(place)
        return found

    async def read(
        self, spans: Mapping[Place, Unacknowledged], wanted: set[Place]
    ) -> AsyncGenerator[tuple[Place, Sequence[ConsumerRecord]], None]:
        """Read the records of the spans, in portions, until `wanted` is empty.

        The caller may take a place out of `wanted`; reaching the end of its span does so too.

        Raises:
            KafkaUnavailable: no answer, or a record did not arrive in time.
        """
        wanted -= {place for place in wanted if spans[place].begin >= spans[place].end}
        if not wanted:
            return
        async with self._reading({place: spans[place].begin for place in wanted}) as consumer:
            while wanted:
                for tp, records in (await self._next(consumer)).items():
                    place, end = (found := self._place(tp)), spans[found].end
                    if records[-1].offset >= end - 1:
                        wanted.discard(place)
                    if inside := [record for record in records if record.offset < end]:
                        yield place, inside
                consumer.pause(
                    *(tp for tp in consumer.assignment() if self._place(tp) not in wanted)
                )

    async def _next(
        self, consumer: AIOKafkaConsumer
    ) -> Mapping[TopicPartition, Sequence[ConsumerRecord]]:
        got: Mapping[TopicPartition, Sequence[ConsumerRecord]] = await consumer.getmany(
            timeout_ms=clients.REQUEST_TIMEOUT_MS, max_records=RECORDS_AT_ONCE
        )
        if not got:
            raise KafkaUnavailable(f"Kafka at {self._kafka} gave no record in time")
        return got

    @asynccontextmanager
    async def _reading(self, begins: Mapping[Place, int]) -> AsyncIterator[AIOKafkaConsumer]:
        consumer = _consumer(self._kafka)
        try:
            await consumer.start()
            offsets = {
                TopicPartition(f"{self._prefix}.{topic}", p): at
                for (topic, p), at in begins.items()
            }
            consumer.assign(list(offsets))
            for tp, offset in offsets.items():
                consumer.seek(tp, offset)
            yield consumer
        except (KafkaError, OSError) as exc:
            raise KafkaUnavailable(f"Kafka at {self._kafka} did not answer: {exc!r}") from exc
        finally:
            await consumer.stop()

    def _place(self, tp: TopicPartition) -> Place:
        return tp.topic.removeprefix(f"{self._prefix}."), tp.partition

    async def close(self) -> None:
        """Close the clients; the next question would open them again."""
        async with self._lock:
            await self._close()

    async def _close(self) -> None:
        clients, self._clients = self._clients, None
        if clients is not None:
            await clients.close()


class _Clients:
    """The open clients, with the partitions, the coordinator and the beginnings they have found."""

    def __init__(self, admin: AIOKafkaAdminClient, consumer: AIOKafkaConsumer, group: str) -> None:
        self.admin = admin
        self.consumer = consumer
        self.partitions: list[TopicPartition] = []
        self._group = group
        self._coordinator: int | None = None
        self._beginnings: Mapping[TopicPartition, int] = {}
        self._beginnings_until = 0.0

    async def spans(self) -> Mapping[TopicPartition, Unacknowledged]:
        if monotonic() >= self._beginnings_until:
            self._beginnings = await self.consumer.beginning_offsets(self.partitions)
            self._beginnings_until = monotonic() + BEGINNINGS_KEPT_S
        # Committed offsets first: an end that is read later is never behind them.
        committed = await self._committed()
        ends = await self.consumer.end_offsets(self.partitions)
        return {
            tp: Unacknowledged(
                min(max(self._beginnings[tp], getattr(committed.get(tp), "offset", 0)), end), end
            )
            for tp, end in ends.items()
        }

    async def _committed(self) -> Mapping[TopicPartition, OffsetAndMetadata]:
        known = self._coordinator is not None
        found: Mapping[
            TopicPartition, OffsetAndMetadata
        ] = await self.admin.list_consumer_group_offsets(
            self._group, self._coordinator if known else await self._find_coordinator()
        )
        # A broker that is no longer the coordinator gives an empty answer, not an error.
        if not found and known:
            self._coordinator = None
            return await self._committed()
        return found

    async def _find_coordinator(self) -> int:
        while True:
            try:
                self._coordinator = int(await self.admin.find_coordinator(self._group))
            except GroupCoordinatorNotAvailableError:
                # A new broker makes its offsets topic when it is first asked.
                await asyncio.sleep(COORDINATOR_RETRY_S)
            else:
                return self._coordinator

    async def close(self) -> None:
        for client_closes in (self.consumer.stop, self.admin.close):
            with suppress(KafkaError, OSError):
                await client_closes()


async def _open(kafka: Kafka, prefix: str, group: str) -> _Clients:
    admin = clients.admin(kafka)
    opened = _Clients(admin, _consumer(kafka), group)
    try:
        await opened.admin.start()
        await opened.consumer.start()
        opened.partitions = await _partitions(admin, prefix)
        # Side by side, because a consumer learns one topic per question and waits after each.
        await asyncio.gather(
            *(opened.consumer.end_offsets([tp]) for tp in opened.partitions if tp.partition == 0)
        )
    except BaseException:
        await opened.close()
        raise
    return opened


async def _partitions(admin: AIOKafkaAdminClient, prefix: str) -> list[TopicPartition]:
    topics = {t["topic"]: t["partitions"] for t in await clients.described_topics(admin)}
    names = [f"{prefix}.{lane_topic(channel, priority)}" for channel, priority in LANES]
    if missing := [name for name in names if name not in topics]:
        raise KafkaUnavailable(
            f"topic {missing[0]} is not there yet; `notistream topics` creates it"
        )
    return [TopicPartition(name, p["partition"]) for name in names for p in topics[name]]


def _consumer(kafka: Kafka) -> AIOKafkaConsumer:
    return clients.consumer(
        kafka,
        auto_offset_reset="earliest",
        request_timeout_ms=clients.REQUEST_TIMEOUT_MS,
        fetch_max_bytes=FETCHED_AT_ONCE,
    )
