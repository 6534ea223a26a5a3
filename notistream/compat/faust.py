"""Private parts of Faust and mode: hooks that they call, and state that they show nowhere else."""

from collections.abc import Awaitable, Callable, Iterable
from signal import Signals
from typing import Any, ClassVar, TypeVar

import faust
from aiohttp.web_protocol import RequestHandler
from faust.app.base import BootStrategy
from faust.tables.manager import TableManager
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, Message
from faust.web.drivers.aiohttp import Web
from mode.types import ServiceT

R = TypeVar("R")


class App(faust.App):
    """An app with public names for the hooks that NotiStream fills."""

    recovers_tables = True
    """Whether the start waits for tables; an API process has none, and would wait for ever."""

    async def _wait_for_table_recovery_completed(self) -> bool:
        return self.recovers_tables and await super()._wait_for_table_recovery_completed()

    def new_transport(self) -> driver.Transport:
        """The transport to Kafka; Faust chooses one by the broker's URL, and takes no other."""
        return driver.Transport(self.conf.broker_consumer, self)

    def _new_transport(self) -> driver.Transport:
        return self.new_transport()

    @property
    def is_assigned(self) -> bool:
        """Whether the group has assigned partitions; `assignor` answers before that too."""
        return self._assignment is not None


class ApiOnly(BootStrategy):
    """Only the web server: an API process consumes nothing, so it also runs without Kafka."""

    enable_kafka = False

    def agents(self) -> Iterable[ServiceT]:
        """No agents."""
        return []


class ImmediateTables(TableManager):
    """Starts at once: Faust's own waits a second, in which tables may still be declared."""

    async def on_start(self) -> None:
        """Called by Faust, after the agents have started."""
        if not self.should_stop:
            await self._update_channels()
            await self.recovery.start()


class Worker(faust.Worker):
    """A process around an app, with public names for three moments of its life."""

    def configure_logging(self) -> None:
        """Set up logging; Faust's own set-up is left out."""

    def on_shutdown_asked(self) -> None:
        """Called at SIGINT and SIGTERM, before Faust stops anything."""

    def on_ready(self) -> None:
        """Called once everything runs; Faust would end a spinner on the terminal."""

    def _setup_logging(self) -> None:
        self.configure_logging()

    def _schedule_shutdown(self, signal: Signals) -> None:
        self.on_shutdown_asked()
        super()._schedule_shutdown(signal)

    def _on_startup_end_spinner(self) -> None:
        self.on_ready()


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """The thread in which Faust runs its consumer."""

    def prepare(self, consumer: Any) -> None:
        """Change a consumer of aiokafka before it starts; Faust has no settings for it."""

    def _create_worker_consumer(self, transport: driver.Transport) -> Any:
        consumer = super()._create_worker_consumer(transport)
        self.prepare(consumer)
        return consumer

    async def ask(self, question: Callable[..., Awaitable[R]], *arguments: Any) -> R:
        """Call `question(consumer, *arguments)` in this thread, where the consumer's loop runs."""
        answer: R = await self.call_thread(question, self._ensure_consumer(), *arguments)
        return answer


class Consumer(driver.Consumer):
    """Faust's consumer without its watch over each partition.

    Faust takes a partition that has nothing new for a broken one. In a fetch session only what is
    new is answered. `agents.watch` finds lanes that stand still; what waits in other topics is in
    PostgreSQL too, where scheduler, sweeper and audit see it.
    """

    thread: ClassVar[type[ConsumerThread]] = ConsumerThread

    async def verify_all_partitions_active(self) -> None:
        """Check nothing."""

    def verify_recovery_event_path(self, now: float, tp: TP) -> None:
        """Check nothing: while tables are read back the worker is not ready, and says so."""

    def _new_consumer_thread(self) -> ConsumerThread:
        return self.thread(self, loop=self.loop, beacon=self.beacon)


def release(consumer: Any, message: Message) -> None:
    """Give up a record that is not acknowledged: a rebalance must not wait for it."""
    consumer.unacked.discard(message)


def connections(web: Web) -> Iterable[RequestHandler]:
    """The open connections of an app's web server; Faust keeps its runner to itself."""
    server = web._runner.server
    return server.connections if server else ()
