"""Device tokens of a tenant: each belongs to one recipient, and the one that was registered last is the newest."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from notistream.db.pool import Queryable
from notistream.db.queries import load
from notistream.domain.recipient import MAX_TOKENS
from notistream.kafka.records import OutboxEntry, outbox_entries

SQL = load("device_tokens")


@dataclass(frozen=True, slots=True)
class StoredToken:
    """A device of a recipient; `last_seen_at`: when it was registered last."""

    token: str
    platform: str | None
    created_at: datetime
    last_seen_at: datetime


async def list_of(db: Queryable, tenant_id: UUID, recipient_id: str) -> list[StoredToken]:
    """Newest first."""
    return [
        StoredToken(**dict(row)) for row in await db.fetch(SQL["list_of"], tenant_id, recipient_id)
    ]


async def lock(db: Queryable, tenant_id: UUID) -> None:
    """Wait until no other transaction changes tokens of this tenant; holds until this one ends."""
    await db.fetch(SQL["lock"], tenant_id)


async def replace(db: Queryable, tenant_id: UUID, recipient_id: str, tokens: Sequence[str]) -> None:
    """Make these, oldest first, the tokens of a stored recipient; to be called under `lock`."""
    await db.fetch(SQL["replace"], tenant_id, recipient_id, list(tokens))


async def register(
    db: Queryable, tenant_id: UUID, recipient_id: str, token: str, *, platform: str | None
) -> None:
    """Make a token the newest of this recipient and nobody else's; to be called under `lock`."""
    await db.fetch(SQL["register"], tenant_id, recipient_id, token, platform, MAX_TOKENS)


async def forget(db: Queryable, tenant_id: UUID, token: str) -> bool:
    """False where no recipient has it."""
    return bool(await db.fetch(SQL["forget"], tenant_id, token))


async def deactivate(
    db: Queryable,
    tenant_id: UUID,
    tokens: Sequence[str],
    *,
    before: datetime,
    suppress: bool,
    note: str | None,
    notification_id: UUID,
) -> list[OutboxEntry]:
    """Drop tokens that a provider called dead, unless they were registered after `before`.

    What is to be published.

    Repeating it is harmless. With `suppress`, tokens that no recipient has are put on the
    suppression list.
    """
    row = await db.fetchrow(
        SQL["deactivate"], tenant_id, list(tokens), before, suppress, note, notification_id
    )
    assert row is not None
    return outbox_entries(row["entries"])
