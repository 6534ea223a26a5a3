"""Windows: how many records of a lane may be on Kafka, so that one tenant cannot fill the lane.

A partition is first in, first out, so fairness comes before it. What is beyond the window of a lane
is held in the outbox and released tenant by tenant. A window is about a second of what the lane has
been delivering.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from notistream.db import outbox
from notistream.db.pool import Database
from notistream.errors import Unavailable
from notistream.kafka.outbox import OutboxEntry
from notistream.kafka.positions import LanePosition, Positions
from notistream.kafka.topic_names import LANES, lane_topic

log = logging.getLogger(__name__)

FIRST_WINDOW = 1000
LARGEST_WINDOW = 50_000
SMALLEST_WINDOW = 100
FEW = 100
WINDOW_S = 1.0
SAMPLE_S = 1.0
LANE_TOPICS: Mapping[str, tuple[str, str]] = {lane_topic(c, p): (c, p) for c, p in LANES}


@dataclass(slots=True)
class LaneWindow:
    """One lane: its least and present window, the credit left of it, and its recent rate."""

    least: int
    window: int
    credit: int
    under_way: int = 0
    """Records admitted here that no position counts yet, because they are not on Kafka."""
    rate: float = 0.0
    sampled: tuple[float, int] | None = None

    def learn(
        self, position: LanePosition, now: float, *, pressed: bool, under_way: int = 0
    ) -> None:
        """Learn from where the lane is; it is `pressed` while entries are held for it.

        A lane that is known to be slow gets a smaller window than an unknown one. `under_way` is
        the count at the time when the position was asked for.
        """
        outstanding = position.lag + max(under_way, self.under_way)
        least = min(self.least, SMALLEST_WINDOW) if pressed or position.lag else self.least
        if self.sampled is None or position.committed < self.sampled[1]:
            self.sampled = now, position.committed
        elif now - self.sampled[0] >= SAMPLE_S:
            rate = (position.committed - self.sampled[1]) / (now - self.sampled[0])
            self.rate = max(rate, (self.rate + rate) / 2)
            self.sampled = now, position.committed
            self.window = _sized(self.rate * WINDOW_S, least)
        if pressed and outstanding * 4 < self.window:  # it is faster than measured
            self.window = _sized(self.window * 2, least)
        self.credit = self.window - outstanding

    def take(self, records: int) -> None:
        """Admit so many."""
        self.credit -= records
        self.under_way += records


def _sized(records: float, least: int) -> int:
    return int(min(max(records, least), LARGEST_WINDOW))


class Windows:
    """The windows of all lanes, as this process sees them."""

    def __init__(
        self,
        positions: Positions,
        database: Database,
        *,
        channel_rate: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        least = max(int(min(FIRST_WINDOW, 2 * channel_rate)), 1) if channel_rate else FIRST_WINDOW
        self._lanes = {topic: LaneWindow(least, least, least) for topic in LANE_TOPICS}
        self._held: frozenset[tuple[str, str]] = frozenset()
        self._unconfirmed: Counter[tuple[str, str]] = Counter()
        self._since_read: set[tuple[str, str]] = set()
        self._one_reader = asyncio.Lock()
        self._positions = positions
        self._database = database
        self._clock = clock

    def admit(self, entry: OutboxEntry) -> bool:
        """Whether an entry may be published now; not while earlier ones of its tenant are held."""
        lane = self._lanes.get(entry.topic)
        if lane is None:
            return True
        if lane.credit <= 0 or (entry.topic, entry.tenant) in self._held:
            return False
        lane.take(len(entry.records))
        return True

    def published(self, entry: OutboxEntry) -> None:
        """Note that an entry is on Kafka, or that it was left in the outbox for later."""
        if lane := self._lanes.get(entry.topic):
            lane.under_way -= len(entry.records)

    def hold(self, entries: Iterable[OutboxEntry]) -> None:
        """Remember entries as held until `confirm`; the outbox shows them as held only then."""
        lanes = [(entry.topic, entry.tenant) for entry in entries]
        self._unconfirmed.update(lanes)
        self._since_read.update(lanes)
        self._held |= set(lanes)

    def confirm(self, entry: OutboxEntry) -> None:
        """Note that the outbox shows the entry as held, or that this could not be written."""
        lane = entry.topic, entry.tenant
        self._unconfirmed[lane] -= 1
        if not self._unconfirmed[lane]:
            del self._unconfirmed[lane]

    @property
    def stale(self) -> bool:
        """Whether it is time to look where the lanes are."""
        return bool(self._held) or any(
            lane.credit < lane.window // 2 for lane in self._lanes.values()
        )

    def rooms(self) -> Mapping[tuple[str, str], int]:
        """How many records each lane (channel, priority) can take from the scheduler.

        A few even while entries are held: those are held too, and released in their tenant's turn.
        """
        pressed = {topic for topic, _ in self._held}
        return {
            LANE_TOPICS[topic]: FEW if topic in pressed else max(lane.credit, 0)
            for topic, lane in self._lanes.items()
        }

    async def refresh(self) -> None:
        """Look where the lanes are, and whose entries are held.

        Raises:
            DatabaseUnavailable: PostgreSQL is away; the windows stay as they were.
        """
        await self._read_held()
        await self._learn()

    async def _read_held(self) -> None:
        """Read whose entries are held; those not confirmed, or held during the read, count too."""
        async with self._one_reader:
            self._since_read = set(self._unconfirmed)
            self._held = await outbox.held_lanes(self._database) | self._since_read

    async def _learn(self) -> None:
        under_way = {topic: lane.under_way for topic, lane in self._lanes.items()}
        try:
            positions = await self._positions.lanes()
        except Unavailable as exc:
            log.debug("no positions", extra={"error": exc.detail})
            return
        pressed = {topic for topic, _ in self._held}
        for topic, lane in self._lanes.items():
            lane.learn(
                positions[topic],
                self._clock(),
                pressed=topic in pressed,
                under_way=under_way[topic],
            )

    async def release(self) -> list[OutboxEntry]:
        """Take held entries for lanes with room, tenant by tenant; they are to be published."""
        await self._read_held()
        if not self.stale:
            return []
        await self._learn()
        pressed = {topic for topic, _ in self._held}
        rooms = {
            topic: lane.credit
            for topic, lane in self._lanes.items()
            if topic in pressed and lane.credit > 0
        }
        released = await outbox.release(self._database, rooms) if rooms else []
        for entry in released:
            self._lanes[entry.topic].take(len(entry.records))
        return released
