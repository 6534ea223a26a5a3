"""What a preview reads: facts of a claim, uses of a cap, blocked providers."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from notistream.db.deliveries import contact, wishes
from notistream.db.pool import Queryable
from notistream.db.queries import load
from notistream.db.slots import CLASS
from notistream.delivery.ports import CapUse
from notistream.domain.notification import Notification
from notistream.domain.preference import FrequencyCap, Preferences

SQL = load("preview")


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What gates need to know of the recipient, as of a moment on the database's clock."""

    at: datetime
    contact: str | None
    timezone: str | None
    preferences: Preferences
    preferences_fault: str | None
    suppressed: str | None
    locale: str | None


@dataclass(frozen=True, slots=True)
class BlockedProvider:
    """A provider that is not called, why and until when; None is all of the channel's."""

    provider: str | None
    reason: str
    until: datetime | None


async def facts(db: Queryable, new: Notification) -> Facts:
    """As of now, or of the moment for which it is scheduled."""
    row = await db.fetchrow(
        *SQL["facts"](
            tenant_id=new.tenant_id,
            channel=new.channel,
            recipient=new.recipient,
            recipient_id=new.recipient_id,
            scheduled_at=new.scheduled_at,
            category=new.category,
            locale=new.locale,
        ),
    )
    assert row is not None
    preferences, fault = wishes(row)
    return Facts(
        at=row["at"],
        contact=new.recipient or contact(row, new.channel, new.recipient_id),
        timezone=row["timezone"],
        preferences=preferences,
        preferences_fault=fault,
        suppressed=row["suppressed"],
        locale=row["locale"],
    )


async def cap_use(
    db: Queryable,
    tenant_id: UUID,
    recipient_id: str,
    channel: str,
    cap: FrequencyCap,
    *,
    at: datetime,
) -> CapUse:
    """What asking the cap would answer at that moment, without being counted."""
    row = await db.fetchrow(
        *SQL["cap_uses"](
            tenant_id=tenant_id,
            recipient_id=recipient_id,
            channel=channel,
            count=cap.count,
            window=timedelta(seconds=cap.window_s),
            at=at,
        ),
    )
    assert row is not None
    return CapUse(row["used"] < cap.count, row["used"], row["free_at"])


async def blocked_providers(
    db: Queryable, channel: str, *, at: datetime
) -> Sequence[BlockedProvider]:
    """Pauses, and breakers that are open on every live worker."""
    return [
        BlockedProvider(row["provider"] or None, row["reason"], row["until"])
        for row in await db.fetch(*SQL["blocked_providers"](channel=channel, at=at, slots=CLASS))
    ]
