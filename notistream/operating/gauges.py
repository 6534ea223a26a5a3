"""The gauges: what of the database and of Kafka is measured every few seconds.

Every worker says the same of it.
"""

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
from notistream.kafka.records import LANES, lane_topic
from notistream.observability import metrics

log = logging.getLogger(__name__)
LOOK_S = 15.0


@dataclass(frozen=True, slots=True)
class LaneBacklog:
    """What waits on Kafka for a lane, and for how long its oldest has, there or in the outbox."""

    lag: int
    oldest_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """What PostgreSQL says."""

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

    To look at the oldest records takes a consumer, so that is done less often.
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
        """Set every gauge; those of Kafka stay as they are while it is away.

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
            log.debug("no positions", extra={"error": exc.detail})
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
        """Ask Kafka; a lane's oldest is there, or still in the outbox.

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
    """Since when the oldest record of each topic waits, as far as its partition still has any."""
    found: dict[str, datetime] = {}
    for place, at in oldest.items():
        if at is not None and place in spans and spans[place].end > spans[place].begin:
            found[place[0]] = min(found.get(place[0], at), at)
    return found


class Progress:
    """Notices partitions that have records, wait for nothing, and get no further for `patience_s`."""

    def __init__(self, patience_s: float) -> None:
        self._patience_s = patience_s
        self._seen: dict[Hashable, tuple[int, float]] = {}

    def stalled(
        self, spans: Mapping[Place, Unacknowledged], *, waits: Collection[str], now: float
    ) -> Mapping[Place, float]:
        """For how many seconds each stalled partition has stood still.

        `waits` are topics that wait for good reason.
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
