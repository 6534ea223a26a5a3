"""The outbox: records that wait until Kafka has acknowledged them."""

from collections.abc import Mapping, Sequence

from notistream.db.pool import Queryable
from notistream.db.queries import load
from notistream.kafka.outbox import OutboxEntry, outbox_entries

SQL = load("outbox")


async def delete(db: Queryable, ids: Sequence[int]) -> None:
    """Delete entries that the broker has acknowledged."""
    await db.fetch(*SQL["delete"](ids=ids))


async def take_leftovers(db: Queryable, *, limit: int) -> list[OutboxEntry]:
    """Entries that nobody published in time, hidden from other takers for 10 s."""
    rows = await db.fetch(*SQL["take_leftovers"](limit=limit))
    return outbox_entries([(row["id"], row["topic"], row["messages"]) for row in rows])


async def hold(db: Queryable, ids: Sequence[int]) -> None:
    """Hold entries back until they are released."""
    await db.fetch(*SQL["hold"](ids=ids))


async def held_lanes(db: Queryable) -> frozenset[tuple[str, str]]:
    """The (topic, tenant) pairs for which entries are held back."""
    return frozenset((row["topic"], row["tenant"]) for row in await db.fetch(*SQL["held_lanes"]()))


async def release(db: Queryable, rooms: Mapping[str, int]) -> list[OutboxEntry]:
    """Release held entries, one of each tenant in turn, for `rooms` records by lane."""
    rows = await db.fetch(
        *SQL["release"](rooms=[{"topic": t, "room": r} for t, r in rooms.items()])
    )
    ordered = sorted(rows, key=lambda row: (row["turn"], row["id"]))
    return outbox_entries([(row["id"], row["topic"], row["messages"]) for row in ordered])


async def hasten(db: Queryable, entries: Sequence[OutboxEntry]) -> None:
    """Let any worker publish these at once, because the process that commits them has no relay."""
    await db.fetch(*SQL["hasten"](ids=[entry.id for entry in entries]))
