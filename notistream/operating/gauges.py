"""Gauges of the database and of Kafka, measured every few seconds; all workers report the same."""

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from notistream.db import gauges
from notistream.db.gauges import Waiting
from notistream.db.pool import Database
from notistream.domain.notification import CHANNELS, Priority
from notistream.errors import KafkaUnavailable
from notistream.kafka.positions import Place, Positions, Unacknowledged
from notistream.kafka.topic_names import LANES, lane_topic
from notistream.observability import metrics

log = logging.getLogger(__name__)
LOOK_S = 15.0


@dataclass(frozen=True, slots=True)
class LaneBacklog:
    """Records of a lane that wait on Kafka, and the age of its oldest, there or in the outbox."""

    lag: int
    oldest_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """Figures from PostgreSQL."""

    dead_letters: Mapping[str, int]
    lateness_s: float
    outbox: Mapping[str, Waiting]

    @property
    def outbox_entries(self) -> int:
        """Entries that are not published."""
        return sum(waiting.entries for waiting in self.outbox.values())

    @property
    def outbox_oldest_s(self) -> float:
        """Age of the oldest."""
        return max((waiting.oldest_s for waiting in self.outbox.values()), default=0.0)


class Gauges:
    """Call `measure` every few seconds.

    Reading the oldest records needs a consumer; that happens every LOOK_S seconds only.
    """

    def __init__(
        self,
        database: Database,
        positions: Positions,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._positions = positions
        self._clock = clock
        self._looked_at = -LOOK_S
        self._oldest: Mapping[Place, datetime | None] = {}

    async def measure(self) -> None:
        """Set every gauge; while Kafka is away, its gauges keep their values.

        Raises:
            DatabaseUnavailable: PostgreSQL is away.
        """
        stores = await self.stores()
        for channel in CHANNELS:
            metrics.DEAD_LETTERS.labels(channel).set(stores.dead_letters.get(channel, 0))
        metrics.SCHEDULER_LATENESS.set(stores.lateness_s)
        metrics.OUTBOX_ENTRIES.set(stores.outbox_entries)
        metrics.OUTBOX_AGE.set(stores.outbox_oldest_s)
        try:
            lanes = await self.lanes(stores)
        except KafkaUnavailable as exc:
            log.debug("Kafka did not report positions", extra={"error": exc.detail})
            return
        for (channel, priority), lane in lanes.items():
            metrics.LAG.labels(channel, priority.value).set(lane.lag)
            metrics.QUEUE_AGE.labels(channel, priority.value).set(lane.oldest_s)

    async def stores(self) -> Stores:
        """Ask PostgreSQL."""
        lanes = [(channel, priority.value) for channel, priority in LANES]
        return Stores(
            dead_letters=await gauges.dead_letters(self._database),
            lateness_s=await gauges.lateness_s(self._database, lanes),
            outbox=await gauges.outbox(self._database),
        )

    async def lanes(self, stores: Stores) -> Mapping[tuple[str, Priority], LaneBacklog]:
        """Ask Kafka. A lane's oldest record may still be in the outbox.

        Raises:
            KafkaUnavailable: no answer.
        """
        spans = await self._positions.unacknowledged()
        if self._clock() - self._looked_at >= LOOK_S:
            self._oldest, self._looked_at = await self._positions.oldest(), self._clock()
        now, lag, since = datetime.now(UTC), _by_topic(spans), _since(self._oldest, spans)
        found = {}
        for channel, priority in LANES:
            topic = lane_topic(channel, priority)
            waited = (now - since[topic]).total_seconds() if topic in since else 0.0
            unpublished_s = stores.outbox[topic].oldest_s if topic in stores.outbox else 0.0
            found[channel, priority] = LaneBacklog(lag[topic], max(waited, unpublished_s))
        return found


def _by_topic(spans: Mapping[Place, Unacknowledged]) -> Mapping[str, int]:
    lag: defaultdict[str, int] = defaultdict(int)
    for (topic, _), span in spans.items():
        lag[topic] += span.end - span.begin
    return lag


def _since(
    oldest: Mapping[Place, datetime | None], spans: Mapping[Place, Unacknowledged]
) -> Mapping[str, datetime]:
    """When the oldest record of each topic came; topics without waiting records are left out."""
    found: dict[str, datetime] = {}
    for place, at in oldest.items():
        if at is not None and place in spans and spans[place].end > spans[place].begin:
            found[place[0]] = min(found.get(place[0], at), at)
    return found


class StallDetector:
    """Finds partitions that have records but make no progress for `patience_s`."""

    def __init__(self, patience_s: float) -> None:
        self._patience_s = patience_s
        self._seen: dict[Hashable, tuple[int, float]] = {}

    def stalled(
        self, spans: Mapping[Place, Unacknowledged], *, waits: Collection[str], now: float
    ) -> Mapping[Place, float]:
        """Seconds for which each stalled partition has made no progress.

        `waits`: topics whose records wait for good reason; they never count as stalled.
        """
        seen: dict[Hashable, tuple[int, float]] = {}
        found: dict[Place, float] = {}
        for place, span in spans.items():
            begin, since = self._seen.get(place, (-1, now))
            moves = begin != span.begin or span.begin >= span.end or place[0] in waits
            seen[place] = (span.begin, now if moves else since)
            if not moves and now - since >= self._patience_s:
                found[place] = now - since
        self._seen = seen
        return found
