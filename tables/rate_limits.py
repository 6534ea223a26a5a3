"""Usage per tenant, recipient and channel in wall-clock windows, for the recipient limit.

The key is that of the stream (tenant and recipient), so a recipient's counts live on the partition
where its messages arrive.
"""

from faust.types import EventT

from notistream.app import NotiStream
from notistream.delivery.ports import Origin
from notistream.domain.rate_limit import Rate, Usage, parse_rate, wait_s
from notistream.kafka.topic_names import USAGE_TABLE
from notistream.tables.window_counter import WindowCounter, Write, add_table


class RecipientUsageTable:
    """Implements `delivery.ports.RecipientUsage` on a Faust table."""

    def __init__(self, table: WindowCounter) -> None:
        self._table = table

    def take(self, channel: str, origin: Origin, rate: Rate, now_s: float) -> Usage | None:
        """See `delivery.ports.RecipientUsage`; it looks and counts in one step."""
        if not self._table.owns(_event(origin)):
            return None
        key = f"{channel}:{origin.key.decode(errors='replace')}"
        usage = Usage(
            now_s,
            current=self._table.count(origin.partition, key, now_s),
            previous=self._table.count(origin.partition, key, now_s - rate.window_s),
        )
        if not wait_s(rate, usage):
            self._table.count(origin.partition, key, now_s, add=1)
        return usage

    async def kept(self, origin: Origin) -> bool:
        """See `delivery.ports.RecipientUsage`; False too once the partition has moved."""
        return await self._table.kept() and self._table.owns(_event(origin))


def _event(origin: Origin) -> EventT[bytes]:
    assert isinstance(origin.event, EventT), "a turn of an agent carries its event"
    return origin.event


def declare(app: NotiStream, write: Write) -> RecipientUsageTable:
    """The table of the app's recipient limit."""
    window_s = parse_rate(app.settings.recipient_rate_limit).window_s
    return RecipientUsageTable(
        add_table(
            app, WindowCounter(app, name=USAGE_TABLE, window_s=window_s, gather_s=0, write=write)
        )
    )
