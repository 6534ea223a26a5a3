"""The replay step of the delivery protocol: ended notifications, queued in a new chain."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from notistream.db.pool import Queryable
from notistream.db.queries import load
from notistream.db.records import storable
from notistream.kafka.outbox import OutboxEntry, outbox_entries

SQL = load("replay")


@dataclass(frozen=True, slots=True)
class ReplayItem:
    """A notification to queue again; with `chain`, only while that is still its chain."""

    notification_id: UUID
    chain: int | None = None


@dataclass(frozen=True, slots=True)
class Replayed:
    """Which notifications were queued again, and what is to be published for them."""

    ids: frozenset[UUID]
    entries: list[OutboxEntry]


async def replay(
    db: Queryable,
    *,
    replay_id: UUID,
    items: Sequence[ReplayItem],
    statuses: Sequence[str],
    reason: str,
) -> Replayed:
    """Queue again what is in one of these terminal statuses, each at most once per `replay_id`.

    `reason` goes to the trace. A missing id had another status or chain, or was replayed before.
    """
    row = await db.fetchrow(
        *SQL["replay"](
            replay_id=replay_id,
            items=[{"id": item.notification_id, "chain": item.chain} for item in items],
            statuses=list(statuses),
            reason=storable(reason),
        )
    )
    assert row is not None
    return Replayed(frozenset(row["replayed"]), outbox_entries(row["entries"]))
