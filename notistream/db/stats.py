"""Figures per channel, from the totals that finishing a delivery keeps."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from notistream.db.pool import Queryable
from notistream.db.queries import load
from notistream.domain.notification import CHANNELS

SQL = load("stats")


@dataclass(frozen=True, slots=True)
class ChannelTotals:
    """Deliveries and final failures of a channel.

    Latency from creation to acceptance by the provider.
    """

    sent: int = 0
    failed: int = 0
    latency_ms_sum: float = 0.0

    @property
    def avg_latency_ms(self) -> float:
        return round(self.latency_ms_sum / self.sent, 3) if self.sent else 0.0

    @property
    def success_rate(self) -> float:
        """Per cent, 0 if nothing has ended yet."""
        ended = self.sent + self.failed
        return round(100 * self.sent / ended, 2) if ended else 0.0


async def channel_totals(db: Queryable, tenant_id: UUID) -> Mapping[str, ChannelTotals]:
    """Every channel, zeros included."""
    rows = await db.fetch(*SQL["channels"](tenant_id=tenant_id))
    found = {r["channel"]: ChannelTotals(r["sent"], r["failed"], r["latency_ms_sum"]) for r in rows}
    return {name: found.get(name, ChannelTotals()) for name in CHANNELS}


async def ping(db: Queryable) -> None:
    """Raise DatabaseUnavailable where PostgreSQL does not answer."""
    await db.fetchrow(*SQL["ping"]())
