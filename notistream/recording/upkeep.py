"""Upkeep that every worker does, without a leader: due rows, ended leases, leftovers, old keys."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from notistream.db import caps, deliveries, idempotency, outbox, sandbox
from notistream.db.deliveries import Finishing, Orphan
from notistream.db.pool import Database
from notistream.delivery.conclusion import conclude
from notistream.domain import retry
from notistream.domain.notification import Status
from notistream.domain.outcome import Ambiguous, AttemptOutcome
from notistream.kafka.outbox import OutboxEntry
from notistream.observability import metrics

log = logging.getLogger(__name__)

DUE_LIMIT = 1000
LEASE_LIMIT = 200
LEFTOVER_LIMIT = 100


class Upkeep:
    """Each method is one round.

    It takes rows that nobody else holds and is safe to run anywhere, at any time.
    """

    def __init__(
        self,
        database: Database,
        *,
        publish: Callable[[Sequence[OutboxEntry]], None],
        takes_leftovers: Callable[[], bool],
        rooms: Callable[[], Mapping[tuple[str, str], int]],
        jitter: Callable[[], float],
    ) -> None:
        self._database = database
        self._takes_leftovers = takes_leftovers
        self._rooms = rooms
        self._publish = publish
        self._jitter = jitter

    async def queue_due(self) -> int:
        """Queue what is due (the scheduler) and what its lanes have room for; how many."""
        rooms = {lane: min(room, DUE_LIMIT) for lane, room in self._rooms().items() if room > 0}
        if not rooms:
            return 0
        count, entries = await deliveries.queue_due(self._database, rooms)
        self._publish(entries)
        metrics.QUEUED_DUE.inc(count)
        return count

    async def end_leases(self, *, owner: int | None = None) -> int:
        """Settle deliveries whose lease ended.

        With `owner`, also all that a former run of that slot left open.
        """
        async with self._database.transaction() as db:
            ended = await deliveries.lock_ended_leases(db, limit=LEASE_LIMIT, owner=owner)
            if not ended:
                return 0
            items = [self._settle(orphan) for orphan in await deliveries.orphans(db, ended)]
            changed = await deliveries.finish(db, items)
            await deliveries.drop_leases(db, ended)
        self._publish(changed.entries)
        self._count([item for item in items if item.id in changed.ids])
        return len(ended)

    def _settle(self, orphan: Orphan) -> Finishing:
        result = Ambiguous("the worker never said how the call ended")
        decision = retry.decide(
            result,
            priority=orphan.priority,
            attempts=orphan.attempts,
            on_unknown=orphan.on_unknown,
            jitter=self._jitter(),
        )
        end = conclude(decision, AttemptOutcome.UNKNOWN, error=result.reason)
        return Finishing(
            orphan.id, orphan.lease_token, replace(end, next_provider=orphan.next_provider)
        )

    def _count(self, settled: Sequence[Finishing]) -> None:
        if settled:
            log.warning("leases ended without an outcome", extra={"count": len(settled)})
        metrics.LEASES_ENDED.inc(len(settled))
        metrics.DUPLICATES.inc(sum(item.end.status is Status.RETRYING for item in settled))

    async def republish(self) -> int:
        """Publish outbox entries that nobody published in time; how many."""
        if not self._takes_leftovers():
            return 0
        entries = await outbox.take_leftovers(self._database, limit=LEFTOVER_LIMIT)
        self._publish(entries)
        return len(entries)

    async def forget_keys(self) -> int:
        """Delete idempotency keys, cap uses and sandbox messages that are too old; how many."""
        return max(
            await idempotency.forget_expired(self._database),
            await caps.forget(self._database),
            await sandbox.forget(self._database),
        )
