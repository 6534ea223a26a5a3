"""The Faust app: settings, order of start and stop, and what a rebalance means for the lanes."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from typing import Any, Literal, cast

import faust
from faust import Stream
from faust.app.base import BootStrategy
from faust.auth import Credentials, SASLCredentials, SSLCredentials
from faust.tables.manager import TableManager
from faust.types import EventT, StreamT, TopicT
from mode.types import ServiceT

from notistream import __version__
from notistream.db.pool import PLANNED_ONCE
from notistream.db.slots import SlotLock
from notistream.delivery.acknowledgement import InOrder
from notistream.delivery.lanes import Lane
from notistream.domain.notification import Priority
from notistream.errors import DatabaseUnavailable, Misconfigured
from notistream.kafka.connection import Kafka
from notistream.kafka.records import LANES
from notistream.kafka.transport import Transport
from notistream.observability import metrics
from notistream.process import Process
from notistream.runtime import Runtime
from notistream.settings.model import Settings

log = logging.getLogger(__name__)

STARTUP_RETRY_S = 1.0
SLOT_PATIENCE_S = 15.0
LANES_OPEN_S = 0.01
POLL_RECORDS = 500
STREAM_BUFFER = 4096


class ApiOnly(BootStrategy):
    """Only the web server: an API process consumes nothing, so it also runs without Kafka."""

    enable_kafka = False

    def agents(self) -> Iterable[ServiceT]:
        """No agents."""
        return []


class _Tables(TableManager):
    """Starts at once.

    Faust's own waits a second, in which tables may still be declared: here all are before.
    """

    async def on_start(self) -> None:
        """Called by Faust, after the agents have started."""
        if not self.should_stop:
            await self._update_channels()
            await self.recovery.start()


class NotiStream(faust.App):
    """One Faust app in one of two roles: worker (default), or API after `serve_only`."""

    def __init__(
        self,
        settings: Settings,
        *,
        prepare_topics: Callable[[Settings], Awaitable[None]],
        prepare_tables: Callable[["NotiStream"], Awaitable[object]],
        **options: Any,
    ) -> None:
        self.settings = settings
        self.prepare_topics = prepare_topics
        self.prepare_tables = prepare_tables
        self.runtime = Runtime(settings)
        self.lanes: Mapping[tuple[str, Priority], Lane] = {}
        self.slot = SlotLock(settings.database_url or "", settings.worker_slot)
        self.acknowledgements = InOrder()
        self._released_generation = -1
        self.api_only = False
        self.refusal: Misconfigured | None = None
        super().__init__(**faust_settings(settings), **options)
        self.on_rebalance_complete.connect(self._stop_flow)

    @property
    def address(self) -> str:
        """Where this process serves HTTP."""
        port = self.settings.port if self.api_only else self.settings.metrics_port
        return f"http://{self.settings.host}:{port}"

    def serve_only(self) -> None:
        """Become an API process."""
        self.api_only = True
        self.boot_strategy = ApiOnly(self)
        self.conf.web_port = self.settings.port

    async def on_start(self) -> None:
        """Open the runtime; a worker also waits for PostgreSQL, its slot, Kafka and the topics."""
        self.settings.state_dir.mkdir(
            parents=True, exist_ok=True
        )  # Faust makes its own folder, not those above it
        try:
            await (self._open_api() if self.api_only else self._open_worker())
        except Misconfigured as exc:
            self.refusal = exc
            raise
        await super().on_start()

    async def _open_api(self) -> None:
        await self.runtime.open(name="notistream-api")

    async def _open_worker(self) -> None:
        await self.runtime.open(
            name=f"notistream-worker-{self.settings.worker_slot}",
            planning=PLANNED_ONCE,
            checks={"partitions": self._check_partitions},
        )
        await self._take_slot()
        await self.prepare_topics(self.settings)
        await self.prepare_tables(self)
        self._open_lanes()

    async def _take_slot(self) -> None:
        """Take the slot and settle what its former process left open.

        Raises:
            Misconfigured: another live process has the slot.
        """
        deadline, waits = time.monotonic() + SLOT_PATIENCE_S, False
        while True:
            try:
                if await self.slot.take():
                    while await self.runtime.upkeep.end_leases(owner=self.settings.worker_slot):
                        continue
                    return
                if not waits:
                    log.warning(
                        "the worker slot is in use: waiting for it",
                        extra={"slot": self.settings.worker_slot},
                    )
                    waits = True
            except DatabaseUnavailable:
                log.warning("waiting for PostgreSQL")
                deadline = time.monotonic() + SLOT_PATIENCE_S
            if time.monotonic() > deadline:
                raise Misconfigured(
                    f"worker slot {self.settings.worker_slot} is in use; set NOTISTREAM_WORKER_SLOT"
                    " to a free number"
                )
            await asyncio.sleep(STARTUP_RETRY_S)

    def _open_lanes(self) -> None:
        metrics.TABLES_RECOVERING.set_function(lambda: not self.tables.actives_ready)
        self.lanes = {
            (channel, priority): Lane(
                name=f"{channel}.{priority}",
                limit=self.settings.worker_concurrency,
                ledger=self.runtime.ledger,
                admitter=self.runtime.admission.channels[channel].door(priority),
                deliver=self.runtime.pipeline.deliver,
                clock=time.monotonic,
            )
            for channel, priority in LANES
        }
        for (channel, priority), lane in self.lanes.items():
            metrics.LANE_IN_FLIGHT.labels(channel, priority.value).set_function(
                partial(_count, lane, "in_flight")
            )
            metrics.LANE_WAITING.labels(channel, priority.value).set_function(
                partial(_count, lane, "waiting")
            )

    def raw_topic(self, name: str) -> TopicT:
        """A topic for agents whose records arrive as bytes: Faust's decoding skips what it refuses."""
        return self.topic(
            f"{self.settings.topic_prefix}.{name}",
            key_type=bytes,
            value_type=bytes,
            key_serializer="raw",
            value_serializer="raw",
        )

    def manual(self, stream: StreamT[bytes]) -> Stream[bytes]:
        """The stream without automatic acknowledgement."""
        return cast("Stream[bytes]", cast("Stream[bytes]", stream).noack())

    def open_record(self, event: EventT[bytes]) -> Callable[[], None]:
        """Keep a record unacknowledged until the answer is called, and those before it are settled too."""
        return self.acknowledgements.add(event.message.tp, event.ack, lambda: self.let_go(event))

    async def takes(self, event: EventT[bytes], lane: Lane) -> bool:
        """Whether a record may be worked on.

        Those of a former assignment are let go, they will be read again.

        Faust hands over records of the new assignment before it says that the rebalance has ended,
        and reads none of them twice: so they wait for the lanes.
        """
        while not lane.is_open:
            if (event.message.generation_id or 0) <= self._released_generation:
                self.let_go(event)
                return False
            await asyncio.sleep(LANES_OPEN_S)
        return True

    def let_go(self, event: EventT[bytes]) -> None:
        """Give up a record that is not settled: it will be read again, so a rebalance must not wait for it."""
        self.consumer.unacked.discard(event.message)

    async def _stop_flow(self, *_sender: object, **_options: object) -> None:
        """Fetch nothing until Faust has sought to the committed offsets, and lets the flow go on by itself.

        It resumes the partitions before it seeks. What is fetched between the two is dropped, or counts as read: the
        records are passed over until the next restart.
        """
        self.consumer.stop_flow()

    def _new_transport(self) -> Transport:
        return Transport(self.conf.broker_consumer, self)

    async def _check_partitions(self) -> None:
        if self.rebalancing or not self.started or self._assignment is None:
            raise RuntimeError("waiting for its partitions")
        if not self.tables.actives_ready:
            raise RuntimeError("its tables are being rebuilt")

    async def _wait_for_table_recovery_completed(self) -> bool:
        return False if self.api_only else await super()._wait_for_table_recovery_completed()

    def on_rebalance_start(self) -> None:
        """Let go of unclaimed turns at once; called first, in the consumer's thread."""
        self.loop.call_soon_threadsafe(self.release_lanes, self.consumer_generation_id)
        super().on_rebalance_start()

    def on_rebalance_end(self) -> None:
        """Take turns again."""
        super().on_rebalance_end()
        self.loop.call_soon_threadsafe(self.resume_lanes)

    def release_lanes(self, generation: int) -> None:
        """Let every lane go of what it has not claimed, up to this generation of the consumer group."""
        self._released_generation = generation
        self.acknowledgements.forget()
        for lane in self.lanes.values():
            lane.release()

    def resume_lanes(self) -> None:
        """Let the lanes take turns."""
        for lane in self.lanes.values():
            lane.resume()

    async def on_stop(self) -> None:
        """Stop taking turns, let claimed ones finish, then leave the group and close."""
        self.release_lanes(self.consumer_generation_id)
        await super().on_stop()
        await asyncio.gather(
            *(lane.drain(patience_s=self.settings.lease_s / 2) for lane in self.lanes.values())
        )

    async def on_shutdown(self) -> None:
        """Close what `on_start` opened, after the web server has stopped."""
        await super().on_shutdown()
        await self.slot.release()
        await self.runtime.close()


def _count(lane: Lane, name: Literal["in_flight", "waiting"]) -> float:
    return lane.in_flight if name == "in_flight" else lane.waiting


def _credentials(kafka: Kafka) -> Credentials | None:
    """The same in Faust's words."""
    if kafka.login:
        return SASLCredentials(
            mechanism=kafka.login.mechanism,
            username=kafka.login.username,
            password=kafka.login.password,
            ssl_context=kafka.tls,
        )
    return SSLCredentials(kafka.tls) if kafka.tls else None


def faust_settings(settings: Settings) -> dict[str, Any]:
    """Faust's own settings; each of these was measured, see docs/decisions."""
    brokers = (settings.kafka_brokers or "localhost:9092").split(",")
    return {
        "id": settings.topic_prefix,
        "origin": "notistream",
        "autodiscover": False,
        "version": 1,
        "broker": ";".join(f"kafka://{broker.strip()}" for broker in brokers),
        "broker_credentials": _credentials(settings.kafka),
        "broker_client_id": f"notistream-{__version__}",
        "store": "rocksdb://",
        "datadir": str(settings.state_dir.absolute() / f"worker-{settings.worker_slot}"),
        "processing_guarantee": "at_least_once",
        "broker_commit_interval": (
            0.25
        ),  # also how old the positions may be that the windows are made from
        "broker_session_timeout": 10.0,
        "broker_heartbeat_interval": 3.0,
        "broker_max_poll_records": POLL_RECORDS,
        "stream_buffer_maxsize": STREAM_BUFFER,
        "stream_wait_empty": True,
        # A static member that comes back gets its former assignment, with the URL it had then, and
        # Faust insists that it is the same: so it names the slot, not the port. Nothing routes to
        # it (web_router_enabled).
        "canonical_url": f"http://slot-{settings.worker_slot}.{settings.topic_prefix}.internal",
        "consumer_group_instance_id": f"{settings.topic_prefix}-slot-{settings.worker_slot}",
        "producer_acks": -1,
        "producer_request_timeout": 30.0,
        "topic_partitions": settings.topic_partitions,
        "topic_replication_factor": settings.topic_replication,
        "topic_disable_leader": True,
        "topic_allow_declare": False,
        "web_bind": settings.host,
        "web_host": settings.host,
        "web_port": settings.metrics_port,
        "web_in_thread": False,
        "web_tables_enabled": False,
        "web_router_enabled": False,
        "web_graph_enabled": False,
        "web_stats_enabled": False,
        "web_metrics_enabled": False,
        "worker_redirect_stdouts": False,
        "TableManager": _Tables,
        "Worker": Process,
    }
