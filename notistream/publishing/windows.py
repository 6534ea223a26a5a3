"""Windows: how many records a lane may have outstanding on Kafka, so that a tenant's flood does not fill it.

A partition is first in, first out; so fairness is made before it. What is beyond a lane's window is held back in the
outbox and released tenant by tenant. A window is about a second of what the lane has been delivering.
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
from notistream.kafka.positions import LanePosition, Positions
from notistream.kafka.records import LANES, OutboxEntry, lane_topic

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
    """One lane: its least and present window, what is left of it, and how fast the lane has been lately."""

    least: int
    window: int
    credit: int
    under_way: int = 0
    """Records admitted here that no position tells of yet, because they are not on Kafka."""
    rate: float = 0.0
    sampled: tuple[float, int] | None = None

    def learn(
        self, position: LanePosition, now: float, *, pressed: bool, under_way: int = 0
    ) -> None:
        """Take in where the lane is; it is `pressed` while entries are held back for it.

        A lane that is known to be slow has a smaller window than one of which nothing is known.
        `under_way` is what it was when the position was asked for.
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
        if pressed and outstanding * 4 < self.window:  # it is faster than we know
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
        self._untold: Counter[tuple[str, str]] = Counter()
        self._since_look: set[tuple[str, str]] = set()
        self._one_look = asyncio.Lock()
        self._positions = positions
        self._database = database
        self._clock = clock

    def admit(self, entry: OutboxEntry) -> bool:
        """Whether an entry may be published now.

        What is behind held ones of its tenant is held too.
        """
        lane = self._lanes.get(entry.topic)
        if lane is None:
            return True
        if lane.credit <= 0 or (entry.topic, entry.tenant) in self._held:
            return False
        lane.take(len(entry.records))
        return True

    def published(self, entry: OutboxEntry) -> None:
        """An admitted or released entry is on Kafka, or was left in the outbox for later."""
        if lane := self._lanes.get(entry.topic):
            lane.under_way -= len(entry.records)

    def note_held(self, entries: Iterable[OutboxEntry]) -> None:
        """Remember that these are held back; the outbox does not say so before it is `told`."""
        lanes = [(entry.topic, entry.tenant) for entry in entries]
        self._untold.update(lanes)
        self._since_look.update(lanes)
        self._held |= set(lanes)

    def told(self, entry: OutboxEntry) -> None:
        """The outbox says now that it is held back, or could not be told."""
        lane = entry.topic, entry.tenant
        self._untold[lane] -= 1
        if not self._untold[lane]:
            del self._untold[lane]

    @property
    def stale(self) -> bool:
        """Whether it is time to look where the lanes are."""
        return bool(self._held) or any(
            lane.credit < lane.window // 2 for lane in self._lanes.values()
        )

    def rooms(self) -> Mapping[tuple[str, str], int]:
        """Records that each lane (channel, priority) can take from the scheduler.

        A few even behind held ones: they are held too then, and released in their tenant's turn.
        """
        pressed = {topic for topic, _ in self._held}
        return {
            LANE_TOPICS[topic]: FEW if topic in pressed else max(lane.credit, 0)
            for topic, lane in self._lanes.items()
        }

    async def refresh(self) -> None:
        """Look where the lanes are, and for whom entries are held back.

        Raises:
            DatabaseUnavailable: PostgreSQL is away; the windows stay as they were.
        """
        await self._look_for_held()
        await self._learn()

    async def _look_for_held(self) -> None:
        """A lane that was noted during the look, or that the outbox was not told of before it, counts as held."""
        async with self._one_look:
            self._since_look = set(self._untold)
            self._held = await outbox.held_lanes(self._database) | self._since_look

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
        """Take held entries for the lanes that have room again, tenant by tenant.

        They are to be published.
        """
        await self._look_for_held()
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
