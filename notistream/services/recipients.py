"""Use cases around recipients that take more than one statement."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from notistream.db import preferences, recipients
from notistream.db.pool import TenantDatabase
from notistream.db.preferences import StoredPreferences
from notistream.db.recipients import StoredRecipient


async def register_device(database: TenantDatabase, tenant_id: UUID, recipient_id: str, token: str) -> StoredRecipient:
    """Make a token the newest of this recipient, who is created where needed, and take it from any other."""
    async with database.transaction() as db:
        await recipients.lock_tokens(db, tenant_id)
        return await recipients.register_token(db, tenant_id, recipient_id, token)


async def wish(
    database: TenantDatabase, tenant_id: UUID, recipient_id: str, *, channels: Mapping[str, Any], timezone: str | None
) -> StoredPreferences:
    """Replace what a recipient wishes of these channels and, where one is given, the zone that the wishes are in."""
    async with database.transaction() as db:
        if timezone is not None:
            await recipients.put_timezone(db, tenant_id, recipient_id, timezone)
        return await preferences.put_channels(db, tenant_id, recipient_id, channels)
