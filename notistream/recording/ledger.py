"""The ledger of deliveries: claims, finishes, parkings and wake-ups, each a group commit."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from datetime import timedelta

from notistream.db import deliveries
from notistream.db.deliveries import Finishing
from notistream.db.group_commit import GroupCommit, by_load
from notistream.db.pool import Database
from notistream.delivery.ports import Origin, Parking, Turn
from notistream.domain.notification import Claimed, Status
from notistream.domain.outcome import AttemptOutcome, Finish
from notistream.errors import DatabaseUnavailable
from notistream.kafka.outbox import OutboxEntry
from notistream.observability import metrics
from notistream.recording import dead_addresses

log = logging.getLogger(__name__)
DATABASE_RETRY_S = 0.5
SHARE = 4
"""A statement goes once a lane's places divided by this wait for a claim, or for a finish."""


class DeliveryLedger:
    """Implements `delivery.ports.Ledger` on PostgreSQL for one worker slot."""

    def __init__(
        self,
        database: Database,
        *,
        publish: Callable[[Sequence[OutboxEntry]], None],
        owner: int,
        lease: timedelta,
        concurrency: int,
    ) -> None:
        self._database = database
        self._publish = publish
        self._owner = owner
        self._lease = lease
        enough = max(concurrency // SHARE, 1)
        self._claims: GroupCommit[Turn, Claimed | None] = GroupCommit(
            self._claim, pause=by_load, enough=enough
        )
        self._finishes: GroupCommit[Finishing, bool] = GroupCommit(
            self._finish, pause=by_load, enough=enough
        )
        self._parkings: GroupCommit[Parking, None] = GroupCommit(self._park)
        self._wake_ups: GroupCommit[Turn, float | None] = GroupCommit(self._queue)

    async def claim(self, turn: Turn) -> Claimed | None:
        """See `delivery.ports.Ledger`."""
        claimed = await self._claims.submit(turn)
        if claimed is None:
            metrics.CLAIM_MISSED.inc()
        else:
            metrics.CLAIMED.labels(claimed.channel, claimed.priority.value).inc()
        return claimed

    async def finish(self, claimed: Claimed, end: Finish, origin: Origin) -> None:
        """Record under the lease.

        Repeated until PostgreSQL answers, because the provider was called.
        """
        while True:
            try:
                in_time = await self._finishes.submit(
                    Finishing(claimed.id, claimed.lease_token, end, origin)
                )
                if not in_time:
                    await self._finish_late(claimed, end)
            except DatabaseUnavailable:
                await asyncio.sleep(DATABASE_RETRY_S)
                continue
            break
        if end.dead_addresses:
            await self._retire(claimed, end)
        metrics.FINISHED.labels(claimed.channel, end.status.value).inc()
        if end.outcome is AttemptOutcome.NOT_CALLED and end.steps:
            metrics.STOPPED.labels(claimed.channel, end.steps[-1].gate, end.status.value).inc()
        if in_time and end.outcome is AttemptOutcome.UNKNOWN and end.status is Status.RETRYING:
            metrics.DUPLICATES.inc()

    async def _retire(self, claimed: Claimed, end: Finish) -> None:
        try:
            self._publish(await dead_addresses.retire(self._database, claimed, end))
        except DatabaseUnavailable:
            log.warning("a dead address stays", extra={"notification_id": str(claimed.id)})

    async def _finish_late(self, claimed: Claimed, end: Finish) -> None:
        changed = await deliveries.finish_late(self._database, claimed, end)
        self._publish(changed.entries)
        accepted = claimed.id in changed.ids
        metrics.LATE.labels("yes" if accepted else "no").inc()
        log.warning(
            "finished after the lease had ended",
            extra={
                "notification_id": str(claimed.id),
                "outcome": end.outcome.value,
                "accepted": accepted,
            },
        )

    async def park(self, parking: Parking) -> None:
        """See `delivery.ports.Ledger`."""
        await self._parkings.submit(parking)
        metrics.PARKED.labels(parking.gate).inc()

    async def wake_up(self, turn: Turn) -> float | None:
        """Queue a waiting notification that is due; else in how many seconds it will be."""
        return await self._wake_ups.submit(turn)

    async def _claim(self, turns: Sequence[Turn]) -> Sequence[Claimed | None]:
        call_before = time.monotonic() + self._lease.total_seconds() / 2
        claimed = dict(
            await deliveries.claim(
                self._database, turns, owner=self._owner, lease=self._lease, call_before=call_before
            )
        )
        return [
            claimed.pop(turn.id, None) for turn in turns
        ]  # a turn that came twice is claimed once

    async def _finish(self, items: Sequence[Finishing]) -> Sequence[bool]:
        changed = await deliveries.finish(self._database, items)
        self._publish(changed.entries)
        return [item.id in changed.ids for item in items]

    async def _park(self, items: Sequence[Parking]) -> Sequence[None]:
        changed = await deliveries.park(self._database, items)
        self._publish(changed.entries)
        return [None] * len(items)

    async def _queue(self, turns: Sequence[Turn]) -> Sequence[float | None]:
        queued = await deliveries.queue(self._database, turns)
        self._publish(queued.entries)
        return [queued.early.get(turn) for turn in turns]
