"""Changes of recipients that take more than one statement."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from notistream.db import device_tokens, preferences, recipients
from notistream.db.pool import Database, TenantDatabase
from notistream.db.preferences import StoredPreferences
from notistream.db.recipients import StoredRecipient
from notistream.domain.recipient import Contact


async def put(
    database: Database | TenantDatabase, tenant_id: UUID, recipient_id: str, contact: Contact
) -> tuple[StoredRecipient, bool]:
    """Create or replace a recipient; device tokens that are not given stay.

    Returns what is stored now, and whether it is new.
    """
    async with database.transaction() as db:
        if contact.push_tokens is not None:
            await device_tokens.lock(db, tenant_id)
        created = await recipients.put(db, tenant_id, recipient_id, contact)
        if contact.push_tokens is not None:
            await device_tokens.replace(db, tenant_id, recipient_id, contact.push_tokens)
        stored = await recipients.get(db, tenant_id, recipient_id)
    assert stored is not None, "it was put in this transaction"
    return stored, created


async def register_device(
    database: Database | TenantDatabase,
    tenant_id: UUID,
    recipient_id: str,
    token: str,
    *,
    platform: str | None = None,
) -> None:
    """Make a token the newest of this recipient and take it from any other.

    A missing recipient is created.
    """
    async with database.transaction() as db:
        await device_tokens.lock(db, tenant_id)
        await device_tokens.register(db, tenant_id, recipient_id, token, platform=platform)


async def wish(
    database: Database | TenantDatabase,
    tenant_id: UUID,
    recipient_id: str,
    *,
    channels: Mapping[str, Any],
    timezone: str | None,
) -> StoredPreferences:
    """Replace a recipient's preferences for these channels, and the time zone if one is given."""
    async with database.transaction() as db:
        if timezone is not None:
            await recipients.put_timezone(db, tenant_id, recipient_id, timezone)
        return await preferences.put_channels(db, tenant_id, recipient_id, channels)
