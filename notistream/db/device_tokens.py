"""Device tokens of a tenant; each belongs to one recipient."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from notistream.db.pool import Queryable
from notistream.db.queries import load, named
from notistream.domain.recipient import MAX_TOKENS
from notistream.kafka.outbox import OutboxEntry, outbox_entries

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
        StoredToken(**dict(row))
        for row in await db.fetch(*SQL["list_of"](tenant_id=tenant_id, recipient_id=recipient_id))
    ]


async def lock(db: Queryable, tenant_id: UUID) -> None:
    """Wait until no other transaction changes tokens of this tenant; holds until this one ends."""
    await db.fetch(*SQL["lock"](tenant_id=tenant_id))


async def replace(db: Queryable, tenant_id: UUID, recipient_id: str, tokens: Sequence[str]) -> None:
    """Make these, oldest first, the tokens of a stored recipient. Call `lock` first."""
    await db.fetch(
        *SQL["replace"](tenant_id=tenant_id, recipient_id=recipient_id, tokens=list(tokens))
    )


async def register(
    db: Queryable, tenant_id: UUID, recipient_id: str, token: str, *, platform: str | None
) -> None:
    """Make a token the newest of this recipient alone. Call `lock` first."""
    await db.fetch(
        *SQL["register"](
            tenant_id=tenant_id,
            recipient_id=recipient_id,
            token=token,
            platform=platform,
            most=MAX_TOKENS,
        )
    )


async def forget(db: Queryable, tenant_id: UUID, token: str) -> bool:
    """False if no recipient has it."""
    return bool(await db.fetch(*SQL["forget"](tenant_id=tenant_id, token=token)))


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadTokens:
    """Tokens that a provider called dead when it was sent a notification.

    Those that were registered after `before` are alive again. With `suppress`, tokens that no
    recipient has are put on the suppression list, with `note`.
    """

    tokens: Sequence[str]
    before: datetime
    suppress: bool
    note: str | None
    notification_id: UUID


async def deactivate(db: Queryable, tenant_id: UUID, dead: DeadTokens) -> list[OutboxEntry]:
    """Drop dead tokens; what is to be published. Repeating it is harmless."""
    row = await db.fetchrow(*SQL["deactivate"](tenant_id=tenant_id, **named(dead)))
    assert row is not None
    return outbox_entries(row["entries"])
