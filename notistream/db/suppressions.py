"""The suppression list of a tenant: addresses that must not be sent to."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from uuid import UUID

import asyncpg

from notistream.db.pool import Queryable
from notistream.db.queries import load, named
from notistream.domain.suppression import SuppressionReason

SQL = load("suppressions")


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppression:
    """An address that is to be on the list; with a category, only for messages of that one."""

    channel: str
    address: str
    category: str = ""
    reason: SuppressionReason
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSuppression:
    """An address that must not be sent to.

    E-mail addresses in lower case, of an erased recipient only a hash.

    `category`: only messages of this one; empty: all.
    """

    channel: str
    address: str
    category: str = ""
    reason: str
    note: str | None
    created_at: datetime


FIELDS = tuple(f.name for f in fields(StoredSuppression))


def _stored(row: asyncpg.Record) -> StoredSuppression:
    return StoredSuppression(**{name: row[name] for name in FIELDS})


async def put(
    db: Queryable, tenant_id: UUID, wanted: Suppression
) -> tuple[StoredSuppression, bool]:
    """Suppress an address; what is stored now, and whether it is new."""
    row = await db.fetchrow(*SQL["put"](tenant_id=tenant_id, **named(wanted)))
    assert row is not None
    return _stored(row), row["created"]


async def add(db: Queryable, tenant_id: UUID, wanted: Suppression) -> None:
    """Suppress an address, unless it is already."""
    await db.fetch(*SQL["add"](tenant_id=tenant_id, **named(wanted)))


async def remove(
    db: Queryable, tenant_id: UUID, *, channel: str, address: str, category: str = ""
) -> bool:
    """False if it is not on the list."""
    return (
        await db.fetchrow(
            *SQL["remove"](tenant_id=tenant_id, channel=channel, address=address, category=category)
        )
        is not None
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which suppressions a list shows; None means any."""

    channel: str | None = None
    address: str | None = None
    category: str | None = None


async def list_page(
    db: Queryable,
    tenant_id: UUID,
    shown: Filter,
    *,
    after: tuple[str, str, str] | None,
    limit: int,
) -> list[StoredSuppression]:
    """At most `limit`, by channel, address and category; `after` is such a triple."""
    after_channel, after_address, after_category = after or (None, None, None)
    rows = await db.fetch(
        *SQL["list"](
            tenant_id=tenant_id,
            after_channel=after_channel,
            after_address=after_address,
            after_category=after_category,
            **named(shown),
            limit=limit,
        )
    )
    return [_stored(row) for row in rows]


async def of_addresses(
    db: Queryable, tenant_id: UUID, addresses: Sequence[tuple[str, str]]
) -> list[StoredSuppression]:
    """What is on the list of these pairs of a channel and an address.

    Also what an erased recipient left of them.
    """
    rows = await db.fetch(
        *SQL["of_addresses"](
            tenant_id=tenant_id,
            addresses=[{"channel": channel, "address": address} for channel, address in addresses],
        )
    )
    return [_stored(row) for row in rows]
