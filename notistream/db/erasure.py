"""Erasing a recipient: taking personal data out of every table that holds some."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from notistream.db.pool import Queryable
from notistream.db.queries import load
from notistream.kafka.outbox import OutboxEntry, outbox_entries

SQL = load("erasure")
REASON = "the recipient was erased"
Addresses = Sequence[tuple[str, str]]
"""Pairs of a channel and an address."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is stored of a recipient; `stored` is false if nothing is."""

    email: str | None
    phone: str | None
    stored: bool
    tokens: Sequence[str]
    channels: Mapping[str, Any]
    categories: Mapping[str, bool]


async def known(db: Queryable, tenant_id: UUID, recipient_id: str) -> Known:
    row = await db.fetchrow(*SQL["known"](tenant_id=tenant_id, recipient_id=recipient_id))
    assert row is not None
    return Known(**dict(row))


async def page(
    db: Queryable,
    tenant_id: UUID,
    recipient_id: str,
    addresses: Addresses,
    *,
    after: UUID | None,
    size: int,
) -> tuple[Sequence[UUID], UUID | None]:
    """The recipient's among the next `size` notifications, and the next cursor or None."""
    row = await db.fetchrow(
        *SQL["page"](
            tenant_id=tenant_id,
            recipient_id=recipient_id,
            addresses=_records(addresses),
            after=after,
            size=size,
        )
    )
    assert row is not None
    return row["ids"], row["next"]


@dataclass(frozen=True, slots=True)
class Erased:
    """How many were erased, how many of them were cancelled by it, and what is to be published."""

    notifications: int
    cancelled: int
    entries: list[OutboxEntry]


async def erase(db: Queryable, tenant_id: UUID, ids: Sequence[UUID], *, tombstone: str) -> Erased:
    """Erase notifications, attempts, traces and dead letters."""
    row = await db.fetchrow(
        *SQL["erase"](tenant_id=tenant_id, ids=list(ids), tombstone=tombstone, reason=REASON)
    )
    assert row is not None
    return Erased(row["erased"], row["cancelled"], outbox_entries(row["entries"]))


async def forget_sandbox(
    db: Queryable, tenant_id: UUID, recipient_id: str, names: Sequence[str]
) -> int:
    """Delete the recipient's messages from the sandbox; how many."""
    return len(
        await db.fetch(
            *SQL["forget_sandbox"](
                tenant_id=tenant_id, recipient_id=recipient_id, names=list(names)
            )
        )
    )


async def erase_records(
    db: Queryable, tenant_id: UUID, names: Sequence[str], words: Sequence[str]
) -> int:
    """Erase undecodable records whose key is of a name, or whose bytes hold a word."""
    return len(
        await db.fetch(
            *SQL["erase_records"](
                tenant_id=tenant_id, names=list(names), words=list(words), reason=REASON
            )
        )
    )


async def forget_answers(
    db: Queryable,
    tenant_id: UUID,
    words: Sequence[str],
    *,
    after: tuple[str, str] | None,
    size: int,
) -> tuple[int, tuple[str, str] | None]:
    """Delete those of the next `size` stored answers that hold one of the words.

    How many, and the next cursor or None.
    """
    after_route, after_key = after or (None, None)
    row = await db.fetchrow(
        *SQL["forget_answers"](
            tenant_id=tenant_id,
            after_route=after_route,
            after_key=after_key,
            size=size,
            words=list(words),
        )
    )
    assert row is not None
    return row["count"], (row["route"], row["key"]) if row["route"] is not None else None


async def keep_suppressions(
    db: Queryable, tenant_id: UUID, addresses: Addresses, opt_outs: Sequence[tuple[str, str, str]]
) -> None:
    """Keep suppressions and opt-outs (channel, address, category) without the addresses."""
    await db.fetch(
        *SQL["keep_suppressions"](
            tenant_id=tenant_id,
            addresses=_records(addresses),
            opt_outs=[
                {"channel": channel, "address": address, "category": category}
                for channel, address, category in opt_outs
            ],
        )
    )


async def forget(db: Queryable, tenant_id: UUID, recipient_id: str) -> None:
    """Delete the recipient, its device tokens, wishes and cap counts."""
    await db.fetch(*SQL["forget"](tenant_id=tenant_id, recipient_id=recipient_id))


def _records(addresses: Addresses) -> list[dict[str, str]]:
    return [{"channel": channel, "address": address} for channel, address in addresses]
