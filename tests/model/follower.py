"""Takes the model's steps on the real database, through the functions that the product calls, and
compares the rows.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from notistream.db import audit, deliveries, notifications, operations, outbox, replay
from notistream.db.audit import Window
from notistream.db.deliveries import Finishing
from notistream.db.pool import Database
from notistream.delivery.conclusion import conclude, outcome_of
from notistream.delivery.ports import Parking, Turn
from notistream.domain import retry
from notistream.domain.notification import (
    TERMINAL,
    Claimed,
    NewNotification,
    OnUnknown,
    Priority,
    Status,
)
from notistream.domain.outcome import (
    Accepted,
    Ambiguous,
    AttemptOutcome,
    Finish,
    Permanent,
    ProviderResult,
    Temporary,
)
from notistream.domain.retry import RetryDecision
from notistream.recording.upkeep import Upkeep
from tests.model.protocol import CANCELLABLE, World
from tests.model.state import WAITING, Delivery, Entry, Lease, Row, State, Step, Token

LEASE = timedelta(seconds=30)
ROOMS = {("sms", "low"): 1000}
SOON = timedelta(seconds=50)
ANSWERS: dict[str, ProviderResult] = {
    "delivered": Accepted("m"),
    "temporary": Temporary("HTTP 503"),
    "permanent": Permanent("HTTP 400"),
    "unknown": Ambiguous("reset"),
    "unknown, taken": Ambiguous("reset"),
}


class Follower:
    """One walk: what the model calls message 0, 1 are rows of the database."""

    def __init__(self, db: Database, tenant_id: UUID, world: World) -> None:
        self._db = db
        self._tenant_id = tenant_id
        self._world = world
        self._ids: list[UUID] = []
        self._claimed: dict[tuple[Token, int], Claimed] = {}
        self._refused: dict[int, Row] = {}
        self._upkeep = Upkeep(
            db,
            publish=lambda _: None,
            takes_leftovers=lambda: True,
            rooms=lambda: ROOMS,
            jitter=lambda: 0.0,
        )

    async def take(self, step: Step, after: State) -> None:
        """Take the step, where it reaches the database.

        Its answer and the rows must be what the model says.
        """
        doing = getattr(self, "_" + step.name.replace(" ", "_"), None)
        if doing is not None:
            await doing(*step.args)
            await self._set_clock(after)
            await self._compare(after)

    async def _set_clock(self, after: State) -> None:
        """What the model has for later is not due before the model says so, however slow the
        machine is.
        """
        for notification_id, row in zip(self._ids, after.rows, strict=False):
            if row is not None and row.due is not None:
                await self._due_in(notification_id, SOON if row.due == "later" else -SOON)

    async def _due_in(self, notification_id: UUID, wait: timedelta) -> None:
        await self._db.fetch(
            "UPDATE notifications SET due_at = now() + $2::interval WHERE id = $1 AND due_at IS NOT"
            " NULL",
            notification_id,
            wait,
        )

    # --- steps

    async def _create(self, m: int, status: str) -> None:
        new = NewNotification(
            id=uuid7(),
            tenant_id=self._tenant_id,
            channel="sms",
            priority=Priority.LOW,
            recipient="+905000000001",
            recipient_id=None,
            content="hi",
            on_unknown=OnUnknown.HOLD if self._world.hold else OnUnknown.RESEND,
            scheduled_at=datetime.now(UTC) + SOON if status == "scheduled" else None,
        )
        created = await notifications.create(self._db, [new], window=LEASE)
        assert created.ids == {new.id}
        self._ids.append(new.id)

    async def _publish(self, entry: Entry, whole: bool) -> None:
        if whole:
            rows = await self._db.fetch(
                "SELECT id FROM outbox"
                " WHERE topic = $1 AND ids = ARRAY[$2::uuid] AND messages -> 0 -> 1 ->> 'seq' = $3",
                "sms.low" if entry.lane else "sms.retry",
                self._ids[entry.message],
                str(entry.seq),
            )
            await outbox.delete(self._db, [row["id"] for row in rows])

    async def _take_leftover(self, entry: Entry, _worker: int) -> None:
        await self._db.fetch("UPDATE outbox SET publish_after = now()")
        taken = await outbox.take_leftovers(self._db, limit=100)
        assert any(
            str(self._ids[entry.message]).encode() in r.value for e in taken for r in e.records
        )

    async def _claim(
        self, worker: int, turns: Sequence[tuple[int, int]], winners: Sequence[int], *_fault: str
    ) -> None:
        found = await deliveries.claim(
            self._db,
            [Turn(self._ids[m], seq) for m, seq in turns],
            owner=worker,
            lease=LEASE,
            call_before=1e12,
        )
        assert set(found) == {self._ids[m] for m in winners}
        token = tuple((m, seq) for m, seq in turns if m in winners)
        for m in winners:
            self._claimed[token, m] = found[self._ids[m]]

    async def _park(self, _worker: int, m: int, seq: int, done: bool, *_fault: str) -> None:
        changed = await deliveries.park(
            self._db, [Parking(Turn(self._ids[m], seq), 30.0, "lane", "busy")]
        )
        assert bool(changed.ids) == done

    async def _record(self, d: Delivery, _outcome: str, ours: bool, accepted: bool = False) -> None:
        claimed = self._claimed[d.token, d.message]
        end = self._end(claimed, d.phase)
        changed = await deliveries.finish(
            self._db, [Finishing(claimed.id, claimed.lease_token, end)]
        )
        assert bool(changed.ids) == ours
        if not ours:
            assert bool((await deliveries.finish_late(self._db, claimed, end)).ids) == accepted

    def _end(self, claimed: Claimed, phase: str) -> Finish:
        if phase.startswith("stopped"):
            status = Status(phase.removeprefix("stopped "))
            delay_s = 30.0 if status is Status.DEFERRED else None
            return Finish(
                status=status, reason="a gate", delay_s=delay_s, outcome=AttemptOutcome.NOT_CALLED
            )
        result = ANSWERS[phase]
        if isinstance(result, Accepted):
            return Finish(status=Status.DELIVERED, outcome=AttemptOutcome.DELIVERED, provider="p")
        end = conclude(self._decide(result, claimed), outcome_of(result), error=result.reason)
        return replace(end, provider="p")

    def _decide(self, result: Temporary | Permanent | Ambiguous, claimed: Claimed) -> RetryDecision:
        return retry.decide(
            result,
            priority=claimed.priority,
            attempts=claimed.attempts,
            on_unknown=claimed.on_unknown,
            jitter=0.5,
        )

    async def _time_passes(self, m: int) -> None:
        await self._due_in(self._ids[m], -SOON)

    async def _scheduler(self, m: int) -> None:
        for other in self._ids[:m] + self._ids[m + 1 :]:
            await self._due_in(other, SOON)
        assert await self._upkeep.queue_due() == 1

    async def _timer(self, m: int, seq: int, done: bool) -> None:
        assert bool((await deliveries.queue(self._db, [Turn(self._ids[m], seq)])).entries) == done

    async def _lease_ends(self, lease: Lease, settled: Sequence[int]) -> None:
        ids = [self._ids[m] for m, _ in lease.token]
        await self._db.fetch("UPDATE leases SET until = now() WHERE ids && $1::uuid[]", ids)
        before = await self._db.fetch("SELECT id FROM notifications WHERE status = 'processing'")
        assert await self._upkeep.end_leases() > 0
        after = await self._db.fetch("SELECT id FROM notifications WHERE status = 'processing'")
        assert {r["id"] for r in before} - {r["id"] for r in after} == {
            self._ids[m] for m in settled
        }

    async def _cancel(self, m: int) -> None:
        assert await notifications.cancel(self._db, self._tenant_id, self._ids[m])

    async def _reschedule(self, m: int) -> None:
        assert await operations.reschedule(
            self._db,
            self._tenant_id,
            self._ids[m],
            scheduled_at=datetime.now(UTC) + SOON,
            expires_at=None,
        )

    async def _resolve(self, m: int, how: str) -> None:
        async with self._db.transaction() as db:
            match how:
                case "delivered":
                    await operations.resolve_delivered(
                        db, self._tenant_id, self._ids[m], "seen there"
                    )
                case "failed":
                    await operations.resolve_failed(db, self._tenant_id, self._ids[m], "never seen")
                case "resend":
                    turn = await operations.resolve_resend(
                        db, self._tenant_id, self._ids[m], "again"
                    )
                    assert turn is not None
                    assert (await deliveries.queue(db, [turn])).entries

    async def _replay(self, m: int) -> None:
        replay_id, items = uuid7(), [replay.ReplayItem(self._ids[m])]
        for again in (False, True):
            done = await replay.replay(
                self._db,
                replay_id=replay_id,
                items=items,
                statuses=sorted(TERMINAL),
                reason="again",
            )
            assert bool(done.ids) != again

    async def _repair(self, m: int) -> None:
        await self._wake_lost(m)

    async def _restore_lease(self, m: int) -> None:
        await self._wake_lost(m)

    async def _wake_lost(self, m: int) -> None:
        """A quarter of an hour later the audit finds it."""
        await self._db.fetch("DELETE FROM repairs")
        await self._db.fetch(
            "UPDATE notifications SET queued_at = queued_at - $2::interval, updated_at = updated_at"
            " - $2::interval WHERE id = $1",
            self._ids[m],
            timedelta(minutes=15),
        )
        now = datetime.now(UTC)
        window = Window(now - timedelta(days=1), now)
        page = await audit.page(
            self._db, window, after=window.first_id, limit=100, lease=timedelta(0), horizons={}
        )
        suspects = [s for s in page.suspects if s.id == self._ids[m]]
        assert await audit.still_missing(self._db, suspects) == {self._ids[m]}
        assert await audit.repair(self._db, suspects) == {self._ids[m]}

    async def _a_lease_is_lost(self) -> None:
        await self._db.fetch("DELETE FROM leases")

    # --- compare

    async def _compare(self, after: State) -> None:
        """What the database holds is what the model holds, and it refuses what the model does not
        offer.
        """
        for m, (notification_id, row) in enumerate(zip(self._ids, after.rows, strict=False)):
            assert row is not None
            assert await self._shown(notification_id) == _shown(row), m
            if self._refused.get(m) != row:
                await self._refuses(notification_id, row)
                self._refused[m] = row
        if self._world.messages == 1:
            expected = {(e.lane, e.seq) for e in after.outbox}
            found = await self._entries()
            assert found >= expected
            assert self._world.forgets_stale or found == expected

    async def _shown(self, notification_id: UUID) -> dict[str, Any]:
        (row,) = await self._db.fetch(
            "SELECT n.*, EXISTS (SELECT FROM leases l WHERE l.token = n.lease_token) AS leased,"
            " ARRAY(SELECT chain FROM dead_letters d WHERE d.notification_id = n.id ORDER BY chain)"
            " AS letters FROM notifications n WHERE id = $1",
            notification_id,
        )
        attempts = await notifications.attempts(self._db, notification_id)
        return {
            "status": row["status"],
            "seq": row["seq"],
            "chain": row["chain"],
            "attempts": row["attempts"],
            "waits": row["due_at"] is not None,
            "owned": row["status"] == "processing" and bool(row["lease_token"]),
            "reason": row["reason"] is not None,
            "letters": row["letters"],
            "closed": sorted(
                (a.chain, a.number, a.outcome, a.late_outcome or "") for a in attempts
            ),
        }

    async def _refuses(self, notification_id: UUID, row: Row) -> None:
        turn = Turn(notification_id, row.seq)
        if row.status != "pending":
            assert not await deliveries.claim(
                self._db, [turn], owner=7, lease=LEASE, call_before=1e12
            )
            assert not (await deliveries.park(self._db, [Parking(turn, 30.0, "lane", "busy")])).ids
        if row.status not in WAITING or row.due == "later":
            assert not (await deliveries.queue(self._db, [turn])).entries
        if row.status not in CANCELLABLE:
            assert await notifications.cancel(self._db, self._tenant_id, notification_id) is None
            assert (
                await operations.reschedule(
                    self._db, self._tenant_id, notification_id, scheduled_at=None, expires_at=None
                )
                is None
            )
        if row.status != "unknown":
            assert (
                await operations.resolve_resend(self._db, self._tenant_id, notification_id, "again")
                is None
            )
        if row.status not in TERMINAL:
            assert not (
                await replay.replay(
                    self._db,
                    replay_id=uuid7(),
                    items=[replay.ReplayItem(notification_id)],
                    statuses=sorted(TERMINAL),
                    reason="again",
                )
            ).ids

    async def _entries(self) -> set[tuple[bool, int]]:
        rows = await self._db.fetch(
            "SELECT topic, (messages -> 0 -> 1 ->> 'seq')::integer AS seq FROM outbox"
            " WHERE topic IN ('sms.low', 'sms.retry')"
        )
        return {(row["topic"] == "sms.low", row["seq"]) for row in rows}


def _shown(row: Row) -> dict[str, Any]:
    return {
        "status": row.status,
        "seq": row.seq,
        "chain": row.chain,
        "attempts": row.attempts,
        "waits": row.due is not None,
        "owned": row.status == "processing",
        "reason": row.reason,
        "letters": sorted(row.letters),
        "closed": sorted((a.chain, a.number, a.outcome, a.late or "") for a in row.closed),
    }
