"""The runtime: every part of a process, built from the settings in one place, closed in order."""

import asyncio
import random
import time
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial
from typing import Literal

from notistream.access.authentication import Authentication
from notistream.access.operators import Operators, operators_of
from notistream.access.request_limit import RequestLimit
from notistream.access.tenants import Tenancy
from notistream.db import breakers, inbox, request_windows, sandbox, stats, tokens, webhooks
from notistream.db.caps import CapLedger
from notistream.db.pool import PLANNED_ONCE, PLANNING, Database
from notistream.dead_letters.letters import DeadLetters
from notistream.dead_letters.range_replay import RangeReplays
from notistream.delivery.checks import Checks
from notistream.delivery.dead_letter_limit import DeadLetterLimit
from notistream.delivery.lanes import Lane
from notistream.delivery.limits import RecipientLimit
from notistream.delivery.pipeline import Pipeline, Timing
from notistream.delivery.ports import Origin, RecipientUsage
from notistream.delivery.rendering import Renderer
from notistream.delivery.unsubscribe import UnsubscribeLinks
from notistream.domain.notification import CHANNELS, Priority, Status
from notistream.domain.rate_limit import parse_rate
from notistream.errors import Misconfigured
from notistream.kafka.positions import Positions
from notistream.kafka.topic_names import LANES
from notistream.observability import series, tracing
from notistream.operating.control import ControlLoop
from notistream.operating.gauges import Gauges
from notistream.operating.overview import Overviews
from notistream.operating.pauses import Pauses
from notistream.operating.readiness import Readiness
from notistream.providers.admission import Admission
from notistream.providers.api import Context
from notistream.providers.registry import Providers
from notistream.publishing.relay import Relay
from notistream.publishing.windows import Windows
from notistream.realtime.inbox import Inbox
from notistream.realtime.listeners import ConnectionLimits, Realtime
from notistream.realtime.recipient_tokens import RecipientTokens
from notistream.recipients.erasure import Erasure
from notistream.recording.audit import Audit
from notistream.recording.ledger import DeliveryLedger
from notistream.recording.receipts import Receipts
from notistream.recording.retention import Retention, spans
from notistream.recording.upkeep import Upkeep
from notistream.sending.changes import NotificationChanges
from notistream.sending.idempotency import StoredAnswers
from notistream.sending.notifications import Notifications
from notistream.sending.preview import Previews
from notistream.sending.template_choice import TemplateChoice
from notistream.settings.model import Settings, secrets_of
from notistream.templates.library import Templates
from notistream.webhooks.client import WebhookClient
from notistream.webhooks.endpoints import Webhooks
from notistream.webhooks.sender import WebhookSender

Role = Literal["api", "worker"]
Count = Callable[[str, Status, Origin], None]
"""Counts a delivery that ended: channel, status, and the record that brought it."""


class Runtime:
    """What handlers, agents and background tasks work with.

    All parts exist once it is built. None of them needs PostgreSQL or Kafka before it is used.
    `start` and `close` are the only steps of its life.

    Raises:
        Misconfigured: the settings of a provider are missing or wrong.
    """

    def __init__(self, settings: Settings, role: Role) -> None:
        self.settings = settings
        self.role: Role = role
        series.initialise(channels=CHANNELS, priorities=Priority, statuses=Status)
        self.database = _database(settings, role)
        self.inbox = Inbox(self.database)
        self.providers = self._providers()
        self.positions = Positions(
            kafka=settings.kafka, prefix=settings.topic_prefix, group=settings.topic_prefix
        )
        self.windows = Windows(
            self.positions, self.database, channel_rate=settings.rate_limit_per_channel
        )
        self.relay = Relay(
            kafka=settings.kafka,
            prefix=settings.topic_prefix,
            database=self.database,
            windows=self.windows,
        )
        self.readiness = Readiness(
            {"database": partial(stats.ping, self.database), "kafka": self.relay.check}
        )
        self._build_access()
        self._build_sending()
        self._build_delivery()
        self._build_operating()
        self._build_realtime()
        self._build_webhooks()

    def _providers(self) -> Providers:
        settings = self.settings
        context = Context(
            timeout_s=settings.webhook_timeout_s,
            public_url=settings.public_url,
            shows_addresses=settings.log_addresses,
            inbox=self.inbox.keep,
            keep=partial(sandbox.keep, self.database),
        )
        return Providers(settings, context)

    def _build_access(self) -> None:
        settings, token = self.settings, self.settings.admin_token
        self.authentication = Authentication(
            self.database,
            required=settings.auth == "on",
            admin_token=token.get_secret_value() if token else None,
        )
        self.request_limit = RequestLimit(
            parse_rate(settings.api_rate_limit if settings.auth == "on" else "0"),
            partial(request_windows.reserve, self.database),
        )
        self.tenancy = Tenancy(self.database)
        self.operators: Operators = operators_of(settings)

    def _build_sending(self) -> None:
        settings, window = self.settings, timedelta(hours=self.settings.idempotency_window_h)
        limits, choice = settings.text_limits, TemplateChoice(self.database)
        self.templates = Templates(self.database, changed=choice.forget, limits=limits)
        self.renderer = Renderer(choice, limits.__getitem__)
        self.unsubscribe = UnsubscribeLinks(
            secrets_of(settings.unsubscribe_secret), settings.public_base
        )
        self.notifications = Notifications(
            database=self.database,
            templates=choice,
            publish=self.relay.publish,
            limits=limits,
            window=window,
        )
        self.stored_answers = StoredAnswers(self.database, window=window)
        self.changes = NotificationChanges(self.database, publish=self.relay.publish)
        self.previews = Previews(
            self.database,
            check=self.notifications.checked,
            renderer=self.renderer,
            providers=self.providers.names(),
            recipient_rate=parse_rate(settings.recipient_rate_limit),
            unsubscribe=self.unsubscribe,
        )
        self.erasure = Erasure(
            self.database, publish=self.relay.publish, also=(inbox.erase, webhooks.erase)
        )

    def _build_delivery(self) -> None:
        settings, lease = self.settings, timedelta(seconds=self.settings.lease_s)
        self.admission = Admission(
            settings, self.providers.names(), partial(tokens.take, self.database)
        )
        self.ledger = DeliveryLedger(
            self.database,
            publish=self.relay.publish,
            owner=settings.worker_slot,
            lease=lease,
            concurrency=settings.worker_concurrency,
        )
        self.dead_letters = DeadLetters(
            self.database, prefix=settings.topic_prefix, publish=self.relay.publish
        )
        self.dead_letter_limits = {
            channel: DeadLetterLimit(parse_rate(settings.dlq_limit)) for channel in CHANNELS
        }
        self.receipts = Receipts(self.database, self.providers.built, publish=self.relay.publish)
        self.upkeep = Upkeep(
            self.database,
            publish=self.relay.publish,
            takes_leftovers=lambda: self.relay.takes_leftovers,
            rooms=self.windows.rooms,
            jitter=random.random,
        )
        self.audit = Audit(self.database, self.positions, lease=lease)
        self.retention = Retention(self.database, spans(settings))

    def _build_operating(self) -> None:
        self.range_replays = RangeReplays(self.database, publish=self.relay.publish)
        self.pauses = Pauses(self.database, providers=self.providers.names())
        self.control = ControlLoop(
            self.admission,
            self.pauses,
            report=partial(breakers.replace, self.database, self.settings.worker_slot),
        )
        self.gauges = Gauges(self.database, self.positions)
        self.overviews = Overviews(
            self.database, self.gauges, audit_every_s=self.settings.audit_interval_s
        )

    def _build_realtime(self) -> None:
        settings = self.settings
        self.realtime = Realtime(
            self.database,
            tokens=RecipientTokens(secrets_of(settings.jwt_secret)),
            kafka=settings.kafka,
            prefix=settings.topic_prefix,
            limits=ConnectionLimits(
                queue=settings.ws_queue,
                per_process=settings.ws_connections,
                per_tenant=settings.ws_connections_per_tenant,
            ),
        )

    def _build_webhooks(self) -> None:
        self._webhook_client = WebhookClient(self.settings.allowed_webhook_addresses)
        self.webhooks = Webhooks(self.database, self._webhook_client)
        self.webhook_sender = WebhookSender(self.database, self._webhook_client)

    def lanes(self, usage: RecipientUsage, count: Count) -> Mapping[tuple[str, Priority], Lane]:
        """The lanes of a worker, whose tables give `usage` and `count`."""
        settings = self.settings
        pipeline = Pipeline(
            ledger=self.ledger,
            dispatcher=self.providers,
            checks=Checks(
                renderer=self.renderer,
                caps=CapLedger(self.database),
                recipient_limit=RecipientLimit(usage, parse_rate(settings.recipient_rate_limit)),
                unsubscribe=self.unsubscribe,
            ),
            dead_letter_limits=self.dead_letter_limits,
            count=count,
            timing=Timing(),
        )
        return {
            (channel, priority): Lane(
                name=f"{channel}.{priority}",
                limit=settings.worker_concurrency,
                ledger=self.ledger,
                admitter=self.admission.channels[channel].lane(priority),
                deliver=pipeline.deliver,
                clock=time.monotonic,
            )
            for channel, priority in LANES
        }

    def start(self) -> None:
        """Begin to trace, and to connect to Kafka in the background.

        Raises:
            Misconfigured: no database or no broker is named.
        """
        if not self.settings.database_url or not self.settings.kafka_brokers:
            raise Misconfigured(
                "set NOTISTREAM_DATABASE_URL and NOTISTREAM_KAFKA_BROKERS, or start with `make run`"
            )
        if endpoint := self.settings.otlp_endpoint:
            tracing.configure(
                endpoint=endpoint,
                sampling=self.settings.trace_sampling,
                role=process_name(self.settings, self.role),
            )
        self.relay.start()

    async def close(self) -> None:
        """Close every part, whatever was used of it: the last built first."""
        async with AsyncExitStack() as parts:
            parts.push_async_callback(asyncio.to_thread, tracing.close)
            parts.push_async_callback(self.database.close)
            parts.push_async_callback(self.providers.aclose)
            parts.push_async_callback(self.positions.close)
            parts.push_async_callback(self.relay.close)
            parts.push_async_callback(self.authentication.key_usage.close)
            parts.callback(self.admission.close)
            parts.push_async_callback(self.overviews.close)
            parts.push_async_callback(self.realtime.close)
            parts.push_async_callback(self._webhook_client.aclose)
            parts.push_async_callback(self.webhook_sender.close)


def process_name(settings: Settings, role: Role) -> str:
    """How traces and PostgreSQL name this process, without the product: `api`, `worker-3`."""
    return role if role == "api" else f"{role}-{settings.worker_slot}"


def _database(settings: Settings, role: Role) -> Database:
    return Database(
        settings.database_url or "",
        size=settings.database_pool_size,
        name=f"notistream-{process_name(settings, role)}",
        planning=PLANNED_ONCE if role == "worker" else PLANNING,
    )
