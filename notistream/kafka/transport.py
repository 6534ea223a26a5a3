"""Faust's Kafka transport with fetch sessions, a shorter long poll, and seeking to the beginning.

A partition with records in the consumer's buffer is left out of the next fetch, and there is one
fetch per broker at a time. So when nothing else arrives, that partition waits for the whole long
poll, which Faust makes 1.5 s.
"""

from collections.abc import Collection, Mapping
from typing import Any

from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from notistream.compat import aiokafka, faust
from notistream.kafka.fetch_session import FetchSessions

FETCH_MAX_WAIT_MS = 50


class _ConsumerThread(faust.ConsumerThread):
    def prepare(self, consumer: Any) -> None:
        aiokafka.set_long_poll(consumer, FETCH_MAX_WAIT_MS)
        aiokafka.replace_send(consumer, lambda send: FetchSessions(send).send)

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """See `seek_to_committed`; in the consumer's own thread."""
        found: Mapping[TP, int] = await self.ask(
            seek_to_committed, self.app.tables.changelog_topics
        )
        return found


async def seek_to_committed(consumer: Any, changelogs: Collection[str]) -> Mapping[Any, Any]:
    """Seek every partition to its committed offset, or to its beginning where there is none.

    aiokafka leaves partitions without a committed offset where they are. Faust seeks after a
    rebalance because it has dropped what it fetched meanwhile. The records before the position
    would be skipped, and the next commit would count them as acknowledged.
    """
    committed: Mapping[Any, Any] = await consumer.seek_to_committed()
    if fresh := [tp for tp, at in committed.items() if not at and tp.topic not in changelogs]:
        await consumer.seek_to_beginning(*fresh)
    return committed


class _Consumer(faust.Consumer):
    thread = _ConsumerThread


class Transport(driver.Transport):
    """Kafka, as Faust speaks to it."""

    Consumer = _Consumer
