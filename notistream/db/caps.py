"""Uses of frequency caps: one row for each notification that was let through."""

from datetime import timedelta

from notistream.db.pool import Database, Queryable
from notistream.db.queries import load
from notistream.delivery.ports import CapUse
from notistream.domain.notification import Claimed
from notistream.domain.preference import FrequencyCap

SQL = load("caps")
LONGEST_WINDOW = timedelta(days=366)


class CapLedger:
    """Implements `delivery.ports.Caps`: all workers take turns for a recipient and channel."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def take(self, claimed: Claimed, cap: FrequencyCap) -> CapUse:
        """See `delivery.ports.Caps`."""
        who = {
            "tenant_id": claimed.tenant_id,
            "recipient_id": claimed.recipient_id,
            "channel": claimed.channel,
        }
        async with self._database.transaction() as db:
            # The lock is a statement of its own, so that the next one sees what others counted.
            await db.fetchrow(*SQL["lock"](**who))
            row = await db.fetchrow(
                *SQL["take"](
                    **who,
                    notification_id=claimed.id,
                    count=cap.count,
                    window=timedelta(seconds=cap.window_s),
                )
            )
        assert row is not None
        return CapUse(row["allowed"], row["used"], row["free_at"])


async def forget(db: Queryable) -> int:
    """Delete uses older than the longest window; how many."""
    row = await db.fetchrow(*SQL["forget"](window=LONGEST_WINDOW))
    assert row is not None
    return int(row["count"])
