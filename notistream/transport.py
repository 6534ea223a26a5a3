"""Faust's Kafka transport with fetch sessions and a shorter long poll.

A partition that still has records in the consumer's buffer is left out of the next fetch, and there is one fetch per
broker at a time: so when nothing else arrives, that partition waits for the whole long poll, and Faust makes it 1.5 s.
"""

from typing import Any

from faust.transport.drivers import aiokafka as driver

from notistream.fetch_session import FetchSessions

FETCH_MAX_WAIT_MS = 50


class _ConsumerThread(driver.AIOKafkaConsumerThread):
    def _create_worker_consumer(self, transport: driver.Transport) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = FETCH_MAX_WAIT_MS  # noqa: SLF001 - Faust has no setting for it
        client = consumer._client  # noqa: SLF001 - nor has aiokafka a place for this
        client.send = FetchSessions(client.send).send
        return consumer


class _Consumer(driver.Consumer):
    def _new_consumer_thread(self) -> driver.AIOKafkaConsumerThread:
        return _ConsumerThread(self, loop=self.loop, beacon=self.beacon)


class Transport(driver.Transport):
    """Kafka, as Faust speaks to it."""

    Consumer = _Consumer
