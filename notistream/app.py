"""The Faust app: order of start and stop, and what a rebalance means for records and lanes."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, cast

from faust import Stream
from faust.auth import Credentials, SASLCredentials, SSLCredentials
from faust.types import EventT, StreamT, TopicT

from notistream import __version__
from notistream.compat import faust
from notistream.db.slots import SlotLock
from notistream.delivery.acknowledgement import InOrder
from notistream.delivery.lanes import Lane
from notistream.domain.notification import Priority
from notistream.errors import DatabaseUnavailable, Misconfigured
from notistream.kafka.connection import Kafka
from notistream.kafka.topics import DEFAULT_PARTITIONS
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

Preparation = Callable[["NotiStream"], Awaitable[object]]
"""A step of a worker's start, once it has its slot and before Faust opens anything."""


class NotiStream(faust.App):
    """One Faust app in the role of its runtime: a worker, or an API process without Kafka's part.

    `lanes` are those of a worker, by channel and priority; the composition root fills them.
    """

    def __init__(
        self, runtime: Runtime, *, preparations: tuple[Preparation, ...], **options: Any
    ) -> None:
        settings = runtime.settings
        self.settings = settings
        self.runtime = runtime
        self.role = runtime.role
        self.lanes: dict[tuple[str, Priority], Lane] = {}
        self.partitions = settings.topic_partitions or DEFAULT_PARTITIONS
        """Of every topic; while TOPIC_PARTITIONS is unset, a start takes what the topics have."""
        self.slot = SlotLock(settings.database_url or "", settings.worker_slot)
        self.acknowledgements = InOrder()
        self.refusal: Misconfigured | None = None
        self._preparations = preparations
        self._released_generation = -1
        super().__init__(**faust_settings(settings), **options)
        if self.role == "api":
            self.boot_strategy = faust.ApiOnly(self)
            self.recovers_tables = False
            self.conf.web_port = settings.port
        else:
            runtime.readiness.require("partitions", self._check_partitions)
        self.on_rebalance_complete.connect(self._stop_flow)

    @property
    def address(self) -> str:
        """Where this process serves HTTP."""
        port = self.settings.port if self.role == "api" else self.settings.metrics_port
        return f"http://{self.settings.host}:{port}"

    async def on_first_start(self) -> None:
        """Make the state folder: Faust makes its own in it, not those above."""
        self.settings.state_dir.mkdir(parents=True, exist_ok=True)
        await super().on_first_start()

    async def on_start(self) -> None:
        """Start the runtime; a worker also waits for PostgreSQL, its slot, Kafka and the topics."""
        try:
            self.runtime.start()
            if self.role == "worker":
                await self._take_slot()
                for prepare in self._preparations:
                    await prepare(self)
        except Misconfigured as exc:
            self.refusal = exc
            raise
        await super().on_start()

    async def _take_slot(self) -> None:
        """Take the slot, and end the leases that its former process left open.

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
                    f"worker slot {self.settings.worker_slot} is in use; set"
                    " NOTISTREAM_WORKER_SLOT to a free number"
                )
            await asyncio.sleep(STARTUP_RETRY_S)

    def raw_topic(self, name: str) -> TopicT:
        """A topic whose records arrive as bytes: Faust's own decoding would skip bad ones."""
        return self.topic(
            f"{self.settings.topic_prefix}.{name}",
            key_type=bytes,
            value_type=bytes,
            key_serializer="raw",
            value_serializer="raw",
        )

    def unacknowledged(self, stream: StreamT[bytes]) -> Stream[bytes]:
        """The stream without automatic acknowledgement."""
        return cast("Stream[bytes]", cast("Stream[bytes]", stream).noack())

    def track(self, event: EventT[bytes]) -> Callable[[], None]:
        """Open a record; it is acknowledged once the answer was called, and all before it too."""
        return self.acknowledgements.add(event.message.tp, event.ack, lambda: self.release(event))

    async def admits(self, event: EventT[bytes], lane: Lane) -> bool:
        """Whether a record may be worked on; one of a former assignment is released.

        Faust hands over records of a new assignment before it says that the rebalance has ended,
        and reads none of them twice. So they wait until the lanes are open.
        """
        while not lane.is_open:
            if (event.message.generation_id or 0) <= self._released_generation:
                self.release(event)
                return False
            await asyncio.sleep(LANES_OPEN_S)
        return True

    def release(self, event: EventT[bytes]) -> None:
        """Give up a record without acknowledging it: whoever gets its partition reads it again."""
        faust.release(self.consumer, event.message)

    async def _stop_flow(self, *_sender: object, **_options: object) -> None:
        """Fetch nothing until Faust has sought to the committed offsets, and resumes by itself.

        Faust resumes the partitions before it seeks. What is fetched between the two is dropped,
        or counts as read, and those records would be skipped until the next restart.
        """
        self.consumer.stop_flow()

    def new_transport(self) -> Transport:
        """See `compat.faust.App`."""
        return Transport(self.conf.broker_consumer, self)

    async def _check_partitions(self) -> None:
        if self.rebalancing or not self.started or not self.is_assigned:
            raise RuntimeError("waiting for its partitions")
        if not self.tables.actives_ready:
            raise RuntimeError("its tables are being rebuilt")

    def on_rebalance_start(self) -> None:
        """Release unclaimed turns at once; called first, in the consumer's thread."""
        self.loop.call_soon_threadsafe(self.release_lanes, self.consumer_generation_id)
        super().on_rebalance_start()

    def on_rebalance_end(self) -> None:
        """Take turns again."""
        super().on_rebalance_end()
        self.loop.call_soon_threadsafe(self.resume_lanes)

    def release_lanes(self, generation: int) -> None:
        """Release what no lane has claimed yet, up to this generation of the consumer group."""
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
        patience_s = self.settings.lease_s / 2
        await asyncio.gather(*(lane.drain(patience_s=patience_s) for lane in self.lanes.values()))

    async def on_shutdown(self) -> None:
        """Close what `on_start` opened, after the web server has stopped."""
        await super().on_shutdown()
        await self.slot.release()
        await self.runtime.close()

    def show_lanes(self) -> None:
        """Let the metrics look at the lanes and the tables."""
        metrics.TABLES_RECOVERING.set_function(lambda: not self.tables.actives_ready)
        for (channel, priority), lane in self.lanes.items():
            labels = channel, priority.value
            metrics.LANE_IN_FLIGHT.labels(*labels).set_function(partial(getattr, lane, "in_flight"))
            metrics.LANE_WAITING.labels(*labels).set_function(partial(getattr, lane, "waiting"))


def _credentials(kafka: Kafka) -> Credentials | None:
    """How Faust logs in to Kafka."""
    if kafka.login:
        return SASLCredentials(
            mechanism=kafka.login.mechanism,
            username=kafka.login.username,
            password=kafka.login.password,
            ssl_context=kafka.tls,
        )
    return SSLCredentials(kafka.tls) if kafka.tls else None


def faust_settings(settings: Settings) -> Mapping[str, Any]:
    """Faust's own settings; each of these was measured, see docs/decisions."""
    return {
        "id": settings.topic_prefix,
        "origin": "notistream",
        "autodiscover": False,
        "version": 1,
        "store": "rocksdb://",
        "datadir": str(settings.state_dir.absolute() / f"worker-{settings.worker_slot}"),
        "processing_guarantee": "at_least_once",
        "TableManager": faust.ImmediateTables,
        "Worker": Process,
        "worker_redirect_stdouts": False,
        **_broker_settings(settings),
        **_web_settings(settings),
    }


def _broker_settings(settings: Settings) -> Mapping[str, Any]:
    brokers = (settings.kafka_brokers or "localhost:9092").split(",")
    return {
        "broker": ";".join(f"kafka://{broker.strip()}" for broker in brokers),
        "broker_credentials": _credentials(settings.kafka),
        "broker_client_id": f"notistream-{__version__}",
        # Also how old the positions may be that the windows are made from.
        "broker_commit_interval": 0.25,
        "broker_session_timeout": 10.0,
        "broker_heartbeat_interval": 3.0,
        "broker_max_poll_records": POLL_RECORDS,
        "stream_buffer_maxsize": STREAM_BUFFER,
        "stream_wait_empty": True,
        "consumer_group_instance_id": f"{settings.topic_prefix}-slot-{settings.worker_slot}",
        "producer_acks": -1,
        "producer_request_timeout": 30.0,
        "topic_replication_factor": settings.topic_replication,
        "topic_disable_leader": True,
        "topic_allow_declare": False,
    }


def _web_settings(settings: Settings) -> Mapping[str, Any]:
    return {
        # A static member that comes back gets its former assignment, with the URL it had then, and
        # Faust insists that it is the same: so it names the slot, not the port. Nothing routes to
        # it (web_router_enabled).
        "canonical_url": f"http://slot-{settings.worker_slot}.{settings.topic_prefix}.internal",
        "web_bind": settings.host,
        "web_host": settings.host,
        "web_port": settings.metrics_port,
        "web_in_thread": False,
        "web_tables_enabled": False,
        "web_router_enabled": False,
        "web_graph_enabled": False,
        "web_stats_enabled": False,
        "web_metrics_enabled": False,
    }
