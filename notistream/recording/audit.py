"""The audit: accepted = terminal + waiting; finds and repairs what waits and nothing wakes."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from notistream.db import audit as stored
from notistream.db import audit_log
from notistream.db.audit import HourCount, Suspect, Window
from notistream.db.pool import Database
from notistream.domain.notification import Status
from notistream.kafka.positions import Positions
from notistream.observability import metrics
from notistream.recording.backlog import Backlog, Doubt

log = logging.getLogger(__name__)

PAGE = 5_000
VERIFIED_AT_ONCE = 20_000
REPAIRED_AT_ONCE = 1_000
LISTED = 10_000
SPAN = timedelta(days=7)
AFTER_FAILURE_S = 60.0
WORKER = "worker"


@dataclass(frozen=True, slots=True)
class Missing:
    """A notification that nothing wakes, and whether it was woken now."""

    id: UUID
    tenant_id: UUID
    topic: str
    status: str
    since: datetime
    repaired: bool


@dataclass(frozen=True, slots=True)
class HourLine:
    """A tenant's hour (UTC); `overdue` are part of `waiting`, `missing` are not."""

    tenant_id: UUID
    hour: datetime
    accepted: int
    terminal: int
    waiting: int
    overdue: int
    missing: int


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What an audit found: every hour, and at most 10,000 of the missing by id."""

    window: Window
    hours: Sequence[HourLine]
    listed: Sequence[Missing]
    repaired: int

    def total(self, count: str) -> int:
        """Sum of a count over the hours."""
        return sum(getattr(line, count) for line in self.hours)

    @property
    def unrepaired(self) -> int:
        """Missing and not woken: not asked for, just repaired, or not to be woken by a record."""
        return self.total("missing") - self.repaired


class Audit:
    """Reads in pages, to hold neither locks nor memory; reports only what it has seen twice."""

    def __init__(self, database: Database, positions: Positions, *, lease: timedelta) -> None:
        self._database = database
        self._backlog = Backlog(positions)
        self._lease = lease
        self._not_before = 0.0

    async def run(
        self,
        window: Window,
        *,
        repair: bool = False,
        actor: str = WORKER,
        pace: bool = False,
        on_page: Callable[[int], None] = lambda _: None,
    ) -> AuditReport:
        """Audit a window; with `pace`, rest as long as each page took.

        `on_page` gets how many each page had.

        Raises:
            KafkaUnavailable: what Kafka holds cannot be known now.
        """
        tally = _Tally(on_page)
        async with aclosing(self._suspects(window, tally, pace=pace)) as portions:
            async for doubts, others in portions:
                missing = await self._missing(doubts, others)
                repaired = await self._repair(missing, actor) if repair else frozenset()
                tally.add_missing(missing, repaired)
        return AuditReport(window, tally.hours(), tally.listed, tally.repaired)

    async def _suspects(
        self, window: Window, tally: "_Tally", *, pace: bool
    ) -> AsyncGenerator[tuple[Sequence[Doubt], Sequence[Suspect]], None]:
        horizons = await self._backlog.refresh()
        after: UUID | None = window.first_id
        doubts: list[Doubt] = []
        others: list[Suspect] = []
        while after is not None:
            began = time.monotonic()
            page = await stored.page(
                self._database,
                window,
                after=after,
                limit=PAGE,
                lease=self._lease,
                horizons=horizons,
            )
            tally.add_page(page.hours)
            queued = [s for s in page.suspects if s.status == Status.PENDING]
            doubts += await self._backlog.doubtful(queued) if queued else ()
            others += [s for s in page.suspects if s.status != Status.PENDING]
            if len(doubts) + len(others) >= VERIFIED_AT_ONCE:
                yield doubts, others
                doubts, others = [], []
            if pace:
                await asyncio.sleep(time.monotonic() - began)
            after = page.last_id
        yield doubts, others

    async def _missing(self, doubts: Sequence[Doubt], others: Sequence[Suspect]) -> list[Suspect]:
        """Those without a record on Kafka that have not moved on in the meantime."""
        found = [*others, *(await self._backlog.without_record(doubts) if doubts else ())]
        still = await stored.still_missing(self._database, found) if found else frozenset()
        return [suspect for suspect in found if suspect.id in still]

    async def _repair(self, missing: Sequence[Suspect], actor: str) -> frozenset[UUID]:
        woken: set[UUID] = set()
        for at in range(0, len(missing), REPAIRED_AT_ONCE):
            async with self._database.transaction() as db:
                ids = await stored.repair(db, missing[at : at + REPAIRED_AT_ONCE])
                if ids:
                    await audit_log.record(
                        db,
                        actor,
                        "audit.repair",
                        f"{len(ids)} notifications",
                        {"ids": sorted(map(str, ids))},
                    )
            woken |= ids
        metrics.AUDIT_REPAIRED.inc(len(woken))
        return frozenset(woken)

    async def keep(self, *, every: timedelta, repair: bool) -> None:
        """Audit the last seven days where nobody did for `every`; export the last result."""
        last = await stored.last_run(self._database)
        if (last is None or last.age >= every) and time.monotonic() >= self._not_before:
            self._not_before = time.monotonic() + AFTER_FAILURE_S
            await self._run_alone(every, repair=repair)
            self._not_before = 0.0
            last = await stored.last_run(self._database)
        if last is not None:
            metrics.AUDIT_MISSING.set(last.details["missing"])
            metrics.AUDIT_OVERDUE.set(last.details["overdue"])
            metrics.AUDIT_SUCCESS.set(last.at.timestamp())

    async def _run_alone(self, every: timedelta, *, repair: bool) -> None:
        """One audit under the lock, unless another worker holds it, or held it until just now."""
        async with self._database.transaction() as db:
            if not await stored.try_lock(db):
                return
            last = await stored.last_run(db)
            if last is not None and last.age < every:
                return
            now, began = datetime.now(UTC), time.monotonic()
            report = await self.run(Window(now - SPAN, now), repair=repair, pace=True)
            await audit_log.record(
                db,
                WORKER,
                stored.ACTION,
                "installation",
                {
                    "missing": report.unrepaired,
                    "repaired": report.repaired,
                    "overdue": report.total("overdue"),
                    "accepted": report.total("accepted"),
                    "seconds": round(time.monotonic() - began, 3),
                },
            )
            await stored.forget_repairs(db)
        if report.total("missing"):
            log.error(
                "the audit found notifications that nothing wakes",
                extra={
                    "missing": report.total("missing"),
                    "repaired": report.repaired,
                    "ids": [str(missing.id) for missing in report.listed[:20]],
                },
            )


class _Tally:
    """Counts of the pages by tenant and hour, and what turned out to be missing."""

    def __init__(self, on_page: Callable[[int], None]) -> None:
        self._on_page = on_page
        self._hours: dict[tuple[UUID, datetime], list[int]] = {}
        self.listed: list[Missing] = []
        self.repaired = 0

    def add_page(self, hours: Sequence[HourCount]) -> None:
        for hour in hours:
            counts = self._hours.setdefault((hour.tenant_id, hour.hour), [0, 0, 0, 0])
            for at, count in enumerate((hour.accepted, hour.terminal, hour.overdue)):
                counts[at] += count
        self._on_page(sum(hour.accepted for hour in hours))

    def add_missing(self, missing: Sequence[Suspect], repaired: frozenset[UUID]) -> None:
        self.repaired += len(repaired)
        for s in missing:
            self._hours[s.tenant_id, s.hour][3] += 1
            if len(self.listed) < LISTED:
                self.listed.append(
                    Missing(s.id, s.tenant_id, s.topic, s.status, s.queued_at, s.id in repaired)
                )

    def hours(self) -> list[HourLine]:
        return [
            HourLine(
                tenant_id, hour, accepted, terminal, accepted - terminal - missing, overdue, missing
            )
            for (tenant_id, hour), (accepted, terminal, overdue, missing) in sorted(
                self._hours.items(), key=lambda item: (item[0][1], item[0][0])
            )
        ]
