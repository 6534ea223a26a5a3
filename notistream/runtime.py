"""The runtime: pool, relay, providers and use cases of a process, opened and closed in order."""

import random
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from datetime import timedelta
from uuid import UUID

from notistream import metrics
from notistream.config import Settings
from notistream.db import stats
from notistream.db.pool import Database, open_database
from notistream.db.stats import ChannelTotals
from notistream.delivery.gates import GATES
from notistream.delivery.pipeline import Pipeline
from notistream.domain.notification import CHANNELS, Priority, Status
from notistream.errors import Misconfigured
from notistream.providers.registry import Providers
from notistream.services.access import Access
from notistream.services.ledger import DeliveryLedger
from notistream.services.notifications import Notifications
from notistream.services.readiness import Readiness
from notistream.services.relay import Relay
from notistream.services.replays import Replays
from notistream.services.templates import Templates
from notistream.services.upkeep import Upkeep


class Runtime:
    """What handlers and agents work with; attributes exist once `open` has run."""

    database: Database
    relay: Relay
    templates: Templates
    notifications: Notifications
    replays: Replays
    access: Access
    readiness: Readiness
    providers: Providers
    ledger: DeliveryLedger
    pipeline: Pipeline
    upkeep: Upkeep

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._stack = AsyncExitStack()

    async def open(self, *, name: str, checks: Mapping[str, Callable[[], Awaitable[None]]] | None = None) -> None:
        """Open everything that works without PostgreSQL or Kafka being there; they are reached when needed.

        Raises:
            Misconfigured: a setting that this process needs is missing or wrong.
        """
        settings = self.settings
        metrics.initialise(channels=CHANNELS, priorities=Priority, statuses=Status)
        if not settings.database_url or not settings.kafka_brokers:
            raise Misconfigured("set NOTISTREAM_DATABASE_URL and NOTISTREAM_KAFKA_BROKERS, or start with `make run`")
        self.providers = Providers(settings)
        self._stack.push_async_callback(self.providers.aclose)
        self.database = await open_database(settings.database_url, size=settings.database_pool_size, name=name)
        self._stack.push_async_callback(self.database.close)
        self.relay = Relay(
            brokers=settings.kafka_brokers, prefix=settings.topic_prefix, database=self.database)
        self.relay.start()
        self._stack.push_async_callback(self.relay.close)
        self._build_use_cases()
        self._build_delivery()
        self.readiness = Readiness({
            "database": lambda: stats.ping(self.database), "kafka": self.relay.check, **(checks or {})})

    def _build_use_cases(self) -> None:
        settings, window = self.settings, timedelta(hours=self.settings.idempotency_window_h)
        token = settings.admin_token
        self.templates = Templates(self.database)
        self.notifications = Notifications(
            database=self.database, templates=self.templates, publish=self.relay.publish, limits=self.limits(),
            window=window,
        )
        self.replays = Replays(self.database, window=window)
        self.access = Access(
            self.database, required=settings.auth == "on", admin_token=token.get_secret_value() if token else None)

    def _build_delivery(self) -> None:
        settings = self.settings
        self.ledger = DeliveryLedger(
            self.database, publish=self.relay.publish, owner=settings.worker_slot,
            lease=timedelta(seconds=settings.lease_s),
        )
        self.pipeline = Pipeline(
            ledger=self.ledger, sources=self.templates, sender=self.providers, gates=GATES,
            limits=self.limits().__getitem__, jitter=random.random, clock=time.monotonic,
        )
        self.upkeep = Upkeep(
            self.database, publish=self.relay.publish, takes_leftovers=lambda: self.relay.takes_leftovers,
            jitter=random.random,
        )

    def limits(self) -> Mapping[str, int]:
        """Characters that a rendered text may have, per channel."""
        return {**{name: channel.max_length for name, channel in CHANNELS.items()}, "sms": self.settings.sms_max_length}

    async def channel_totals(self, tenant_id: UUID) -> Mapping[str, ChannelTotals]:
        """Sent and failed per channel, zeros included."""
        return await stats.channel_totals(self.database, tenant_id)

    async def close(self) -> None:
        """Close in the opposite order."""
        await self._stack.aclose()
