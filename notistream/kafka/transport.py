"""Faust's Kafka transport: fetch sessions, a shorter long poll, a way back to the beginning, no second watchdog.

A partition that still has records in the consumer's buffer is left out of the next fetch, and there is one fetch per
broker at a time: so when nothing else arrives, that partition waits for the whole long poll, and Faust makes it 1.5 s.
"""

from collections.abc import Collection, Mapping
from typing import Any

from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from notistream.kafka.fetch_session import FetchSessions

FETCH_MAX_WAIT_MS = 50


class _ConsumerThread(driver.AIOKafkaConsumerThread):
    def _create_worker_consumer(self, transport: driver.Transport) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = FETCH_MAX_WAIT_MS  # noqa: SLF001 - Faust has no setting for it
        client = consumer._client  # noqa: SLF001 - nor has aiokafka a place for this
        client.send = FetchSessions(client.send).send
        return consumer

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """See `seek_to_committed`; in the consumer's own thread."""
        consumer, changelogs = self._ensure_consumer(), self.app.tables.changelog_topics
        found: Mapping[TP, int] = await self.call_thread(seek_to_committed, consumer, changelogs)
        return found


async def seek_to_committed(consumer: Any, changelogs: Collection[str]) -> Mapping[Any, Any]:
    """Seek every partition to its committed offset, and to its beginning where nothing was committed yet.

    aiokafka leaves those where they are. Faust seeks after a rebalance because it has dropped what it fetched
    meanwhile: the records before the position would be passed over, and the next commit would call them settled.
    """
    committed: Mapping[Any, Any] = await consumer.seek_to_committed()
    if fresh := [
        tp for tp, offset in committed.items() if not offset and tp.topic not in changelogs
    ]:
        await consumer.seek_to_beginning(*fresh)
    return committed


class _Consumer(driver.Consumer):
    async def verify_all_partitions_active(self) -> None:
        """Nothing: Faust looks at each partition twice a second, and takes one that has nothing new for a broken one.

        In a fetch session only what is new is answered. Partitions of lanes that stand still are found by
        `agents.watch`; what waits in other topics is in PostgreSQL too, where scheduler, sweeper, audit see it.
        """

    def verify_recovery_event_path(self, now: float, tp: TP) -> None:
        """Nothing, for the same reason.

        While tables are read back the worker is not ready, and says so.
        """

    def _new_consumer_thread(self) -> driver.AIOKafkaConsumerThread:
        return _ConsumerThread(self, loop=self.loop, beacon=self.beacon)


class Transport(driver.Transport):
    """Kafka, as Faust speaks to it."""

    Consumer = _Consumer
