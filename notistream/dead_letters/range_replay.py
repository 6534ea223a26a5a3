"""Range replay: queues again what ended in a span of time, at a rate, once per replay."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from notistream.db import audit_log, outbox, replay
from notistream.db import range_replays as stored
from notistream.db.pool import Database
from notistream.db.range_replays import Group, Portion, Range, StoredReplay
from notistream.errors import Conflict, NotFound
from notistream.kafka.outbox import OutboxEntry
from notistream.observability import metrics

SURVEYED_AT_ONCE = 10_000
SCANNED_AT_ONCE = 20_000
QUEUED_AT_ONCE = 1_000
BURST_S = 2.0
PER_S = 100.0
MOST_PER_S = 10_000.0
RUNNING, STOPPED = "running", "stopped"


@dataclass(frozen=True, slots=True)
class Survey:
    """What a replay would do, by channel, status and template.

    And what it has done before, under its id.
    """

    groups: Sequence[Group]
    replayed_before: int

    @property
    def total(self) -> int:
        """Ended notifications in the range."""
        return sum(group.count for group in self.groups)

    @property
    def perhaps_again(self) -> int:
        """Those to send that may have reached their recipient before."""
        return sum(group.perhaps_again for group in self.groups)

    def count(self, verdict: str) -> int:
        """How many get a verdict."""
        return sum(group.count for group in self.groups if group.verdict == verdict)


class RangeReplays:
    """A replay is a row; any process may take its next step.

    Each step is one transaction, so none is done twice.

    Without `publish` (a process that has no relay) the workers publish what a step queues.
    """

    def __init__(
        self, database: Database, *, publish: Callable[[Sequence[OutboxEntry]], None] | None = None
    ) -> None:
        self._database = database
        self._publish = publish

    async def survey(
        self, meant: Range, *, replay_id: UUID, on_page: Callable[[int], None] = lambda _: None
    ) -> Survey:
        """What the replay would do now; reads in pages, changes nothing."""
        until = _end(meant, datetime.now(UTC))
        counts: Counter[tuple[str, str, str | None, str]] = Counter()
        again: Counter[tuple[str, str, str | None, str]] = Counter()
        after: UUID | None = None
        while True:
            page = await stored.page(
                self._database,
                meant,
                Portion(after=after, scan=SCANNED_AT_ONCE, take=SURVEYED_AT_ONCE),
                until=until,
                replay_id=replay_id,
            )
            for group in page.groups:
                kind = (group.channel, group.status, group.template, group.verdict)
                counts[kind] += group.count
                again[kind] += group.perhaps_again
            on_page(page.count)
            if page.at_end:
                break
            after = page.last_id
        groups = [Group(*kind, count, again[kind]) for kind, count in counts.most_common()]
        return Survey(groups, await stored.count_replayed(self._database, replay_id))

    async def start(
        self, replay_id: UUID, meant: Range, *, rate: float, total: int, actor: str
    ) -> StoredReplay:
        """Start a replay, or go on with one that was stopped.

        One that runs or is finished is left as it is.

        Raises:
            Conflict: the id belongs to a replay of another range.
        """
        async with self._database.transaction() as db:
            made = await stored.create(db, replay_id, meant, rate=rate, total=total)
            if made is not None:
                await audit_log.record(
                    db,
                    actor,
                    "replay.start",
                    str(replay_id),
                    {"total": total, "rate": rate, **stored.document(meant)},
                )
                return made
        found = await self.get(replay_id)
        if found.range != meant:
            raise Conflict(f"replay {replay_id} is of another range; use another id, or none")
        return await self.resume(replay_id, rate=rate, actor=actor)

    async def resume(
        self, replay_id: UUID, *, rate: float | None = None, actor: str
    ) -> StoredReplay:
        """Go on with one that was stopped; others stay as they are.

        Raises:
            NotFound: there is none.
        """
        return await self._change(
            replay_id, STOPPED, RUNNING, rate=rate, actor=actor, action="replay.resume"
        )

    async def stop(self, replay_id: UUID, *, actor: str) -> StoredReplay:
        """Stop one that is running; others stay as they are.

        Raises:
            NotFound: there is none.
        """
        return await self._change(replay_id, RUNNING, STOPPED, actor=actor, action="replay.stop")

    async def _change(
        self,
        replay_id: UUID,
        was: str,
        to: str,
        *,
        actor: str,
        action: str,
        rate: float | None = None,
    ) -> StoredReplay:
        async with self._database.transaction() as db:
            changed = await stored.set_state(db, replay_id, was, to, rate=rate)
            if changed is not None:
                await audit_log.record(
                    db,
                    actor,
                    action,
                    str(replay_id),
                    {"queued": changed.queued, "skipped": changed.skipped, "total": changed.total},
                )
                return changed
        return await self.get(replay_id)

    async def get(self, replay_id: UUID) -> StoredReplay:
        """Raises NotFound."""
        found = await stored.get(self._database, replay_id)
        if found is None:
            raise NotFound(f"there is no replay {replay_id}")
        return found

    async def step(self, only: UUID | None = None) -> int:
        """Take the next step of a running replay (or of `only`) whose rate allows one.

        How many were looked at.
        """
        async with self._database.transaction() as db:
            runnable = await stored.lock_next(db, only)
            if runnable is None:
                return 0
            running = runnable.replay
            page = await stored.page(
                db,
                running.range,
                Portion(
                    after=running.last_id,
                    scan=SCANNED_AT_ONCE,
                    take=allowed(running.rate, runnable.rested_s),
                ),
                until=_end(running.range, running.created_at),
                replay_id=running.id,
            )
            done = await replay.replay(
                db,
                replay_id=running.id,
                items=page.items,
                statuses=running.range.statuses,
                reason=f"replayed with its time range ({running.id})",
            )
            await stored.advance(db, running.id, page, queued=len(done.ids))
            if self._publish is None:
                await outbox.hasten(db, done.entries)
        if self._publish is not None:
            self._publish(done.entries)
        metrics.RANGE_REPLAYED.inc(len(done.ids))
        return page.count if page.count or page.at_end else SCANNED_AT_ONCE


def _end(meant: Range, made_at: datetime) -> datetime:
    return min(meant.until or made_at, made_at)


def allowed(rate: float, rested_s: float) -> int:
    """How many a step may queue: the rate times the rest before it, of at most two seconds."""
    return max(1, min(int(rate * min(rested_s, BURST_S)), QUEUED_AT_ONCE))
