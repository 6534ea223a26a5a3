"""The overview of an installation: its figures now, and what needs attention."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from notistream.db import audit, breakers, channel_minutes, pauses, slots, webhook_deliveries
from notistream.db.audit import LastRun
from notistream.db.breakers import ReportedBreaker
from notistream.db.channel_minutes import Span
from notistream.db.pauses import StoredPause
from notistream.db.pool import Database
from notistream.domain.attention import Concern, Situation, concerns
from notistream.domain.notification import Priority
from notistream.errors import KafkaUnavailable
from notistream.operating.gauges import Gauges, LaneBacklog, Stores

KEPT_S = 1.0
KAFKA_WAIT_S = 0.1
"""A page waits no longer for Kafka; it shows the last answer and its time."""
KAFKA_KEPT_S = 2.0
HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaAnswer:
    """What Kafka last reported about the lanes, and whether it answers now."""

    lanes: Mapping[tuple[str, Priority], LaneBacklog]
    at: datetime | None = None
    """None: no answer yet."""
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Deliveries of a channel in the last hour."""

    sent: int = 0
    failed: int = 0
    latency_ms_sum: float = 0.0

    @property
    def success(self) -> float | None:
        """Percentage of deliveries that succeeded; None where none has ended."""
        return 100 * self.sent / (self.sent + self.failed) if self.sent + self.failed else None

    @property
    def latency_ms(self) -> float | None:
        """Mean time from acceptance to delivery."""
        return self.latency_ms_sum / self.sent if self.sent else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """An installation at one moment."""

    at: datetime
    stores: Stores
    kafka: KafkaAnswer
    workers: Sequence[int]
    breakers: Sequence[ReportedBreaker]
    pauses: Sequence[StoredPause]
    audit: LastRun | None
    webhooks_waiting: int
    webhooks_late_s: float
    last_hour: Mapping[str, Totals]
    concerns: Sequence[Concern] = ()


class Overviews:
    """Reads at most once a second for all viewers; asks Kafka in the background."""

    def __init__(self, database: Database, gauges: Gauges, *, audit_every_s: float) -> None:
        self._database = database
        self._gauges = gauges
        self._audit_every_s = audit_every_s
        self._lock = asyncio.Lock()
        self._last: tuple[float, Overview] | None = None
        self._kafka = KafkaAnswer(lanes={})
        self._kafka_asked_at = -KAFKA_KEPT_S
        self._asking: asyncio.Task[None] | None = None

    async def now(self) -> Overview:
        """The installation as it was at most a second ago.

        Raises:
            DatabaseUnavailable: PostgreSQL is away.
        """
        async with self._lock:
            if self._last is None or self._last[0] <= time.monotonic():
                found = await self._look()
                self._last = time.monotonic() + KEPT_S, found
            return self._last[1]

    async def series(self, *, since: datetime, every: timedelta) -> Sequence[Span]:
        """Deliveries by channel and span of time."""
        return await channel_minutes.series(self._database, since=since, every=every)

    async def _look(self) -> Overview:
        db = self._database
        stores = await self._gauges.stores()
        kafka = await self._of_kafka(stores)
        workers = await slots.live(db)
        waiting, late_s = await webhook_deliveries.backlog(db)
        now = datetime.now(UTC)
        since = now.replace(second=0, microsecond=0) - HOUR
        found = Overview(
            at=now,
            stores=stores,
            kafka=kafka,
            workers=workers,
            breakers=[one for one in await breakers.list_all(db) if one.slot in workers],
            pauses=await pauses.list_all(db),
            audit=await audit.last_run(db),
            webhooks_waiting=waiting,
            webhooks_late_s=late_s,
            last_hour=_totals(await self.series(since=since, every=HOUR + timedelta(minutes=1))),
        )
        return replace(found, concerns=concerns(situation(found, self._audit_every_s)))

    async def _of_kafka(self, stores: Stores) -> KafkaAnswer:
        if self._asking is None and time.monotonic() - self._kafka_asked_at >= KAFKA_KEPT_S:
            self._asking = asyncio.create_task(self._ask(stores))
        if self._asking is not None:
            await asyncio.wait([self._asking], timeout=KAFKA_WAIT_S)
        return self._kafka

    async def _ask(self, stores: Stores) -> None:
        try:
            self._kafka = KafkaAnswer(lanes=await self._gauges.lanes(stores), at=datetime.now(UTC))
        except KafkaUnavailable as exc:
            self._kafka = KafkaAnswer(lanes=self._kafka.lanes, at=self._kafka.at, error=exc.detail)
        finally:
            self._kafka_asked_at = time.monotonic()
            self._asking = None

    async def close(self) -> None:
        """Cancel the question to Kafka."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait([self._asking])


def situation(found: Overview, audit_every_s: float) -> Situation:
    """What of an overview may need attention; audits are due every `audit_every_s` seconds."""
    stores, last_audit = found.stores, found.audit
    return Situation(
        silent=["Kafka"] if found.kafka.error else [],
        workers=len(found.workers),
        breakers=_worst(found.breakers),
        dead_letters={channel: count for channel, count in stores.dead_letters.items() if count},
        audit_missing=last_audit.details["missing"] if last_audit else 0,
        audit_overdue=last_audit.details["overdue"] if last_audit else 0,
        audit_age=last_audit.age.total_seconds() / audit_every_s if last_audit else None,
        outbox_oldest_s=stores.outbox_oldest_s,
        late_s=stores.lateness_s,
        oldest_s={
            (channel, priority.value): lane.oldest_s
            for (channel, priority), lane in found.kafka.lanes.items()
        },
        webhooks_late_s=found.webhooks_late_s,
        pauses=[str(stored.pause) for stored in found.pauses],
    )


def _worst(reported: Sequence[ReportedBreaker]) -> Mapping[str, str]:
    found: dict[str, str] = {}
    # By state, `half_open` comes before `open`, which then overwrites it.
    for breaker in sorted(reported, key=lambda breaker: breaker.state):
        found[f"{breaker.channel}/{breaker.provider}"] = breaker.state.replace("_", "-")
    return dict(sorted(found.items()))


def _totals(spans: Sequence[Span]) -> Mapping[str, Totals]:
    found: defaultdict[str, Totals] = defaultdict(Totals)
    for span in spans:
        before = found[span.channel]
        found[span.channel] = Totals(
            sent=before.sent + span.sent,
            failed=before.failed + span.failed,
            latency_ms_sum=before.latency_ms_sum + span.latency_ms_sum,
        )
    return found
