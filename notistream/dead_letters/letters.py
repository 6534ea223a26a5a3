"""Dead letters: operators look, replay and delete; agents store what they find."""

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from dataclasses import replace as with_changes
from typing import Any, Literal
from uuid import UUID

from uuid_utils.compat import uuid7

from notistream.db import audit_log, dead_letters, outbox, replay
from notistream.db.dead_letters import (
    DeadLetter,
    Filter,
    Kinds,
    Prospect,
    Reference,
    WholeDeadLetter,
)
from notistream.db.group_commit import GroupCommit
from notistream.db.pool import Database, Queryable
from notistream.db.replay import ReplayItem
from notistream.domain.notification import Status
from notistream.errors import NotFound, NotReplayable
from notistream.kafka.dead_letter import OVERSIZE, BadRecord, FailedDelivery
from notistream.kafka.outbox import OutboxEntry
from notistream.observability import metrics, tracing
from notistream.publishing.relay import MAX_RECORD

CHUNK = 500
KINDS = 100
RECORDS_AT_ONCE = 32  # undecodable ones, of up to a megabyte each
KEPT_AT_ONCE = 100
LARGEST_RECORD = MAX_RECORD - 2_000  # what Kafka adds to key, value and headers is less


Encoding = Literal["utf-8", "base64"]


@dataclass(frozen=True, slots=True)
class ReplayCount:
    """What a replay did: entries queued again, and those that could not be."""

    replayed: int
    skipped: int
    last_id: UUID | None = field(default=None, compare=False)
    """How far it came; None where it came to the end."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """An entry, and why it could not be queued again; None where it could."""

    letter: DeadLetter
    obstacle: str | None


class DeadLetters:
    """Use cases of operators; every change is in the audit log.

    Without `publish` (a process that has no relay) the workers publish what a replay queues.
    """

    def __init__(
        self,
        database: Database,
        *,
        prefix: str,
        publish: Callable[[Sequence[OutboxEntry]], None] | None = None,
    ) -> None:
        self._database = database
        self._prefix = prefix
        self._publish = publish
        self._kept: GroupCommit[FailedDelivery | BadRecord, bool] = GroupCommit(
            self._keep_all, max_size=KEPT_AT_ONCE
        )

    async def keep(self, letter: FailedDelivery | BadRecord) -> bool:
        """Make sure that it is in the table.

        False where it was, as always when the table was never lost.
        """
        return await self._kept.submit(letter)

    async def _keep_all(self, letters: Sequence[FailedDelivery | BadRecord]) -> Sequence[bool]:
        restored = await self.restore(letters)
        return [letter.id in restored for letter in letters]

    async def restore(self, letters: Sequence[FailedDelivery | BadRecord]) -> frozenset[UUID]:
        """Make sure that all are in the table; the ids of those that were not."""
        failures = [letter for letter in letters if isinstance(letter, FailedDelivery)]
        records = [letter for letter in letters if isinstance(letter, BadRecord)]
        restored = (
            await dead_letters.keep_failures(self._database, failures) if failures else frozenset()
        )
        return restored | (
            await dead_letters.keep_records(self._database, records) if records else frozenset()
        )

    async def get(self, entry_id: UUID) -> WholeDeadLetter:
        """Raises NotFound, also after it was deleted."""
        found = await dead_letters.get(self._database, entry_id)
        if found is None:
            raise NotFound(f"there is no dead letter {entry_id}")
        return found

    async def replay(self, entry_id: UUID, *, actor: str) -> WholeDeadLetter:
        """Queue one again; the entry as it is then. One that was replayed before changes nothing.

        Raises:
            NotFound: there is none.
            NotReplayable: its notification is gone, or its bytes cannot be produced again.
        """
        found = await self.get(entry_id)
        if found.replayed_at is None:
            one = Reference(found.id, found.notification_id, found.chain)
            await self._replay([one], replay_id=entry_id, actor=actor)
            found = await self.get(entry_id)
            if found.replayed_at is None:
                raise NotReplayable(_why_not(found, self._prefix))
        return found

    async def kinds(self, meant: Filter) -> Kinds:
        """What `replay_matching` would replay, by channel and reason."""
        return await dead_letters.kinds(
            self._database, with_changes(meant, replayed=False), limit=KINDS
        )

    async def forecast(self, ids: Sequence[UUID]) -> Sequence[Forecast]:
        """What a replay of these would do, those that are there; changes nothing."""
        found = await dead_letters.prospects(self._database, ids)
        return [Forecast(one.letter, self._obstacle(one)) for one in found]

    def _obstacle(self, one: Prospect) -> str | None:
        if one.letter.replayed_at is not None:
            return "it was replayed before"
        return _obstacle(
            one.letter,
            self._prefix,
            status=one.notification_status,
            lost=one.lost,
            fits=one.size <= LARGEST_RECORD,
        )

    async def replay_matching(
        self,
        meant: Filter,
        *,
        actor: str,
        limit: int,
        progress: Callable[[int], None] = lambda _: None,
        after: UUID | None = None,
    ) -> ReplayCount:
        """Queue again what matches and was not replayed, at most `limit`, oldest first, in chunks.

        What fails again while this runs is left for the next call. `progress` gets the size of
        each chunk; `after` is the `last_id` of the call that this one goes on with.
        """
        now = await dead_letters.clock(self._database)
        meant = with_changes(meant, replayed=False, until=min(meant.until or now, now))
        replay_id, outcome = uuid7(), ReplayCount(0, 0)
        await audit_log.record(
            self._database,
            actor,
            "dlq.replay",
            "filter",
            {"replay_id": str(replay_id), "filter": _shown(meant)},
        )
        while room := min(CHUNK, limit - outcome.replayed - outcome.skipped):
            chunk = await dead_letters.next_references(
                self._database, meant, after=after, limit=room
            )
            if not chunk:
                return ReplayCount(outcome.replayed, outcome.skipped)
            done, after = await self._replay(chunk, replay_id=replay_id), chunk[-1].id
            outcome = ReplayCount(
                outcome.replayed + done, outcome.skipped + len(chunk) - done, after
            )
            progress(len(chunk))
        return outcome

    async def replay_listed(self, ids: Sequence[UUID], *, actor: str | None = None) -> ReplayCount:
        """Queue those of the ids again that are there and were not replayed.

        With `actor`, the audit log names each.
        """
        found = await dead_letters.references(self._database, ids)
        done = await self._replay(found, replay_id=uuid7(), actor=actor) if found else 0
        return ReplayCount(done, len(ids) - done)

    async def delete(self, ids: Sequence[UUID], *, actor: str) -> frozenset[UUID]:
        """Clear and hide them for good; the ids of those that were there."""
        async with self._database.transaction() as db:
            deleted = await dead_letters.delete(db, ids)
            for entry_id in deleted:
                await audit_log.record(db, actor, "dlq.delete", str(entry_id))
        return deleted

    async def _replay(
        self, chunk: Sequence[Reference], *, replay_id: UUID, actor: str | None = None
    ) -> int:
        """How many of these were queued again; with `actor`, the audit log names each."""
        deliveries = [r for r in chunk if r.notification_id is not None]
        records = [r for r in chunk if r.notification_id is None]
        parts = [
            deliveries,
            *(records[at : at + RECORDS_AT_ONCE] for at in range(0, len(records), RECORDS_AT_ONCE)),
        ]
        done = 0
        for part in filter(None, parts):
            done += await self._commit(part, replay_id=replay_id, actor=actor)
        return done

    async def _commit(
        self, part: Sequence[Reference], *, replay_id: UUID, actor: str | None
    ) -> int:
        async with self._database.transaction() as db:
            done, entries = await self._queue(db, part, replay_id)
            for one in done if actor else ():
                await audit_log.record(
                    db, actor or "", "dlq.replay", str(one.id), {"replay_id": str(replay_id)}
                )
            if self._publish is None:
                await outbox.hasten(db, entries)
        if self._publish is not None:
            self._publish(entries)
        metrics.DEAD_LETTERS_REPLAYED.inc(len(done))
        tracing.link_some(record.headers for entry in entries for record in entry.records)
        left = [r.id for r in part if r not in done and r.notification_id]
        if left:
            await dead_letters.mark_replayed(self._database, left)
        return len(done)

    async def _queue(
        self, db: Queryable, part: Sequence[Reference], replay_id: UUID
    ) -> tuple[frozenset[Reference], list[OutboxEntry]]:
        """Failed deliveries by the protocol's own step, undecodable records as they were.

        A part has one kind.
        """
        items = [ReplayItem(r.notification_id, r.chain) for r in part if r.notification_id]
        if not items:
            sent = await dead_letters.replay_records(
                db, [r.id for r in part], prefix=self._prefix, largest=LARGEST_RECORD
            )
            return frozenset(r for r in part if r.id in sent.ids), sent.entries
        queued = await replay.replay(
            db,
            replay_id=replay_id,
            items=items,
            statuses=[Status.FAILED],
            reason="replayed from the dead letters",
        )
        return frozenset(r for r in part if r.notification_id in queued.ids), queued.entries


def readable(found: bytes | None) -> tuple[str | None, Encoding]:
    """Bytes of a record as text, and how they became it."""
    if found is None:
        return None, "utf-8"
    try:
        return found.decode(), "utf-8"
    except UnicodeDecodeError:
        return base64.b64encode(found).decode(), "base64"


def _why_not(found: WholeDeadLetter, prefix: str) -> str:
    """Why an entry that can be seen was not replayed."""
    lost = not found.value and any(name == OVERSIZE for name, _ in found.headers)
    return (
        _obstacle(found, prefix, status=found.notification_status, lost=lost, fits=False)
        or "it changed meanwhile"
    )


def _obstacle(
    found: DeadLetter, prefix: str, *, status: str | None, lost: bool, fits: bool
) -> str | None:
    """Why an entry cannot be replayed; None where it can."""
    if found.notification_id is not None:
        if status is None:
            return f"notification {found.notification_id} is gone"
        if status != Status.FAILED:
            return (
                f"notification {found.notification_id} is {status}; only a failed one is replayed"
            )
        return None
    if not (found.topic or "").startswith(f"{prefix}."):
        return f"its topic {found.topic} is not one of {prefix}.…"
    if lost:
        return "it was too large for Kafka, and its bytes were lost with the table that had them"
    return None if fits else "it is too large to be produced again"


def _shown(meant: Filter) -> Mapping[str, Any]:
    return {name: str(value) for name, value in asdict(meant).items() if value is not None}
