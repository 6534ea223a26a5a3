"""Retention: deletes what is older than the settings say, in short steps, by any worker."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from uuid import UUID

from notistream.db import retention
from notistream.db.ids import FIRST
from notistream.db.pool import Database
from notistream.observability import metrics
from notistream.settings.model import Settings

log = logging.getLogger(__name__)

LIMIT = 500
FOLD_LIMIT = 5_000
BUSY_S = 0.2


class Retention:
    """Each step is a short transaction under one lock, so that one process deletes at a time."""

    def __init__(self, database: Database, spans: Mapping[str, timedelta]) -> None:
        self._database = database
        self._spans = spans

    async def keep(self) -> None:
        """One pass in a worker: rests as long as each step took; yields to another worker."""
        await self.run(pace=True)
        await self.fold_totals()

    async def fold_totals(self) -> None:
        """Keep totals by hour for two months, and by month for ever."""
        folded = FOLD_LIMIT
        while folded == FOLD_LIMIT:
            async with self._database.transaction() as db:
                if not await retention.try_lock(db):
                    return
                folded = await retention.fold_totals(db, limit=FOLD_LIMIT)

    async def run(
        self,
        *,
        really: bool = True,
        pace: bool = False,
        on_step: Callable[[str, int], None] = lambda *_: None,
    ) -> Mapping[str, int]:
        """Delete, or only count, what is too old; how many of each table that has a retention."""
        deleted: dict[str, int] = {}
        for table, span in self._spans.items():
            deleted[table] = 0
            after: UUID | None = FIRST
            while after is not None:
                began = time.monotonic()
                done = await self._step(table, span, after, really=really)
                if done is None:
                    if pace:
                        return deleted
                    await asyncio.sleep(BUSY_S)
                    continue
                after = done.after
                deleted[table] += done.count
                on_step(table, done.count)
                if pace and after is not None:
                    await asyncio.sleep(time.monotonic() - began)
        if really and any(deleted.values()):
            log.info("deleted what is older than its retention", extra={"deleted": deleted})
        return deleted

    async def _step(
        self, table: str, span: timedelta, after: UUID, *, really: bool
    ) -> retention.Deleted | None:
        """None: another process is deleting at this moment."""
        async with self._database.transaction() as db:
            if really and not await retention.try_lock(db):
                return None
            done = await retention.step(db, table, span, after=after, limit=LIMIT, really=really)
        if really:
            metrics.RETENTION_DELETED.labels(table).inc(done.count)
        return done


def spans(settings: Settings) -> Mapping[str, timedelta]:
    """For how long the rows of each table are kept; one that is kept for ever is not named."""
    days = {
        "dead_letters": settings.retention_dead_letters_days,
        "notifications": settings.retention_days,
        "batches": settings.retention_days,
        "templates": settings.retention_days,
        "inbox_messages": settings.retention_inbox_days,
        "webhook_deliveries": settings.retention_webhooks_days,
        "audit_log": settings.retention_audit_log_days,
    }
    return {table: timedelta(days=days[table]) for table in retention.TABLES if days[table]}
