"""Which queued notifications still have an unacknowledged record on Kafka."""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from aiokafka.partitioner import murmur2

from notistream.db.audit import Suspect
from notistream.kafka.positions import Place, Positions, Unacknowledged
from notistream.kafka.wake_up import UndecodableError, decode_wake_up

MARGIN = timedelta(seconds=60)
"""Between the commit that queues a notification and the record on Kafka, where nothing is wrong."""
AT_ONCE = 250


@dataclass(frozen=True, slots=True)
class Doubt:
    """A suspect, and the partition that its record belongs to."""

    place: Place
    suspect: Suspect


class Backlog:
    """Answers by the age of the oldest record; reads records only where that is not enough."""

    def __init__(self, positions: Positions) -> None:
        self._positions = positions
        self._oldest: Mapping[Place, datetime | None] = {}
        self._partitions: Mapping[str, int] = {}
        self._read_to: dict[Place, int] = {}

    async def refresh(self) -> Mapping[str, datetime]:
        """Look at the oldest records; the `horizons` of the lanes.

        Raises:
            KafkaUnavailable: no answer.
        """
        self._oldest = await self._positions.oldest()
        self._partitions = partitions(self._oldest)
        return horizons(self._oldest)

    async def doubtful(self, suspects: Sequence[Suspect]) -> list[Doubt]:
        """The suspects that should have been read by now; read from PostgreSQL before this call.

        A record is published after its notification was queued, so one that was queued after the
        oldest record was published may be behind it. One that was queued well before it can only be
        there if it was published late; `without_record` finds out.
        """
        spans = await self._positions.unacknowledged()
        left = []
        for at, suspect in enumerate(suspects):
            if at % AT_ONCE == 0:
                await asyncio.sleep(0)  # hashing keys is slow; let the worker's other tasks run
            place = suspect.topic, partition_of(suspect.key, self._partitions[suspect.topic])
            oldest = self._oldest.get(place)
            if _empty(spans[place]) or oldest is None or suspect.queued_at < oldest - MARGIN:
                left.append(Doubt(place, suspect))
        return left

    async def without_record(self, doubts: Sequence[Doubt]) -> list[Suspect]:
        """The suspects for which no unacknowledged record is on Kafka.

        Reads those of their partitions.

        Raises:
            KafkaUnavailable: no answer.
        """
        spans = await self._positions.unacknowledged()
        by_place: defaultdict[Place, dict[UUID, Suspect]] = defaultdict(dict)
        for doubt in doubts:
            by_place[doubt.place][doubt.suspect.id] = doubt.suspect
        # Suspects come in the order of their ids, and so, roughly, do records: go on where the last
        # ones were found.
        middle = {
            place: min(max(self._read_to.get(place, 0), span.begin), span.end)
            for place, span in spans.items()
        }
        await self._strike_out(
            by_place, {p: Unacknowledged(middle[p], span.end) for p, span in spans.items()}
        )
        await self._strike_out(
            by_place, {p: Unacknowledged(span.begin, middle[p]) for p, span in spans.items()}
        )
        return [suspect for wanted in by_place.values() for suspect in wanted.values()]

    async def _strike_out(
        self, by_place: Mapping[Place, dict[UUID, Suspect]], spans: Mapping[Place, Unacknowledged]
    ) -> None:
        unfinished = {place for place, wanted in by_place.items() if wanted}
        async with aclosing(self._positions.read(spans, unfinished)) as portions:
            async for place, records in portions:
                wanted = by_place[place]
                for found_id, seq in _wake_ups([record.value for record in records]):
                    if found_id in wanted and wanted[found_id].seq == seq:
                        del wanted[found_id]
                if not wanted:
                    self._read_to[place] = records[0].offset
                    unfinished.discard(place)
                await asyncio.sleep(0)


def _empty(span: Unacknowledged) -> bool:
    return span.begin >= span.end


def _wake_ups(values: Collection[bytes | None]) -> list[tuple[UUID, int]]:
    found = []
    for value in values:
        try:
            message = decode_wake_up(value)
        except UndecodableError:
            continue  # becomes a dead letter, and wakes nothing
        found.append((message.id, message.seq))
    return found


def partition_of(key: bytes, count: int) -> int:
    """Where Kafka's default partitioner puts a key."""
    return int(murmur2(key) & 0x7FFFFFFF) % count


def partitions(places: Collection[Place]) -> Mapping[str, int]:
    """How many partitions each topic has."""
    counts: defaultdict[str, int] = defaultdict(int)
    for topic, _ in places:
        counts[topic] += 1
    return counts


def horizons(oldest: Mapping[Place, datetime | None]) -> Mapping[str, datetime]:
    """Per lane the time from which on a queued notification cannot be suspect in any partition.

    A lane with a partition where nothing waits has none.
    """
    by_topic: defaultdict[str, list[datetime | None]] = defaultdict(list)
    for (topic, _), at in oldest.items():
        by_topic[topic].append(at)
    return {
        topic: max(at for at in moments if at is not None) - MARGIN
        for topic, moments in by_topic.items()
        if None not in moments
    }
