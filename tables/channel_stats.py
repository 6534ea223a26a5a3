"""Live figures per channel: how deliveries ended in the last ten seconds, here on this worker."""

import time
from collections.abc import Callable

from faust.types import EventT

from notistream.app import NotiStream
from notistream.delivery.ports import Origin
from notistream.kafka.topic_names import STATS_TABLE
from notistream.tables.window_counter import WindowCounter, Write, add_table

WINDOW_S = 10
GATHER_S = 1.0  # nobody waits for it


class ChannelStats:
    """Counts endings by channel and status; a figure of a restarted worker goes on where it was."""

    def __init__(self, table: WindowCounter, partitions: Callable[[], int]) -> None:
        self._table = table
        self._partitions = partitions

    def add(self, channel: str, status: str, origin: Origin) -> None:
        """Count one delivery that ended."""
        event = origin.event
        if isinstance(event, EventT) and self._table.owns(event):
            self._table.count(
                origin.partition, f"{origin.partition}:{channel}:{status}", time.time(), add=1
            )

    def per_second(self, channel: str, status: str) -> float:
        """Deliveries per second that ended so, in the last full window."""
        at = time.time() - WINDOW_S
        return (
            sum(
                self._table.look(partition, f"{partition}:{channel}:{status}", at)
                for partition in range(self._partitions())
            )
            / WINDOW_S
        )


def declare(app: NotiStream, write: Write) -> ChannelStats:
    """The table of the app's live figures."""
    table = add_table(
        app, WindowCounter(app, name=STATS_TABLE, window_s=WINDOW_S, gather_s=GATHER_S, write=write)
    )
    return ChannelStats(table, lambda: app.partitions)
