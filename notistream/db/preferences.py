"""Preferences of recipients, as the documents that `domain.preference` reads."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import asyncpg

from notistream.db.pool import Queryable
from notistream.db.queries import load

SQL = load("preferences")


@dataclass(frozen=True, slots=True)
class StoredPreferences:
    """Preferences of a recipient by channel and category; empty if there are none."""

    channels: Mapping[str, Any] = field(default_factory=dict)
    categories: Mapping[str, bool] = field(default_factory=dict)


def _stored(row: asyncpg.Record | None) -> StoredPreferences:
    return StoredPreferences(row["channels"], row["categories"]) if row else StoredPreferences()


async def get(db: Queryable, tenant_id: UUID, recipient_id: str) -> StoredPreferences:
    return _stored(await db.fetchrow(*SQL["get"](tenant_id=tenant_id, recipient_id=recipient_id)))


async def put(
    db: Queryable, tenant_id: UUID, recipient_id: str, wanted: StoredPreferences
) -> StoredPreferences:
    """Replace everything."""
    return _stored(
        await db.fetchrow(
            *SQL["put"](
                tenant_id=tenant_id,
                recipient_id=recipient_id,
                channels=wanted.channels,
                categories=wanted.categories,
            )
        )
    )


async def put_channels(
    db: Queryable, tenant_id: UUID, recipient_id: str, channels: Mapping[str, Any]
) -> StoredPreferences:
    """Replace the preferences for these channels."""
    return _stored(
        await db.fetchrow(
            *SQL["put_channels"](tenant_id=tenant_id, recipient_id=recipient_id, channels=channels)
        )
    )


async def turn_category_off(
    db: Queryable, tenant_id: UUID, recipient_id: str, category: str
) -> None:
    """Note that the recipient does not want this category."""
    await db.fetch(
        *SQL["turn_category_off"](tenant_id=tenant_id, recipient_id=recipient_id, category=category)
    )


async def drop_channel(db: Queryable, tenant_id: UUID, recipient_id: str, channel: str) -> bool:
    """False if there is no preference for the channel."""
    return (
        await db.fetchrow(
            *SQL["drop_channel"](tenant_id=tenant_id, recipient_id=recipient_id, channel=channel)
        )
        is not None
    )
