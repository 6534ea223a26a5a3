"""Erasing a recipient: the statements that take personal data out of every table that holds some."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from notistream.db.pool import Queryable
from notistream.db.queries import load
from notistream.kafka.records import OutboxEntry, outbox_entries

SQL = load("erasure")
REASON = "the recipient was erased"
Addresses = Sequence[tuple[str, str]]
"""Pairs of a channel and an address."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is stored of a recipient; `stored` is false where it is nothing."""

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
    """Which of the next `size` notifications are the recipient's, and where the page after begins: None at the end."""
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
    """Delete what the sandbox was given for the recipient, or for one of the addresses; how many."""
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
    """Erase undecodable records whose key is that of a name, or whose bytes have one of the words."""
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
    """Forget stored answers that have one of the words, among the next `size`.

    How many, and where to go on.
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
    """Turn suppressions of the addresses, and opt-outs (channel, address, category), into ones without the address."""
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
