"""The runtime: pool, relay, providers and use cases of a process, opened and closed in order."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial
from uuid import UUID

from notistream.access.authentication import Authentication
from notistream.access.operators import Operators, operators_of
from notistream.access.request_limit import RequestLimit
from notistream.access.tenants import Tenancy
from notistream.db import breakers, inbox, pauses, request_windows, sandbox, stats, tokens, webhooks
from notistream.db.breakers import OpenBreaker
from notistream.db.caps import CapLedger
from notistream.db.pool import PLANNING, Database, open_database
from notistream.db.stats import ChannelTotals
from notistream.dead_letters.letters import DeadLetters
from notistream.dead_letters.range_replay import RangeReplays
from notistream.delivery.checks import Checks
from notistream.delivery.dead_letter_limit import DeadLetterLimit
from notistream.delivery.limits import RecipientLimit
from notistream.delivery.pipeline import Pipeline, Timing
from notistream.delivery.ports import Origin, RecipientUsage
from notistream.delivery.rendering import Renderer
from notistream.delivery.unsubscribe import UnsubscribeLinks
from notistream.domain.notification import CHANNELS, Priority, Status
from notistream.domain.rate_limit import parse_rate
from notistream.domain.webhook_address import Allowed, allowed_from
from notistream.errors import Misconfigured
from notistream.kafka.positions import Positions
from notistream.observability import metrics, tracing
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
from notistream.realtime.listeners import Realtime
from notistream.realtime.ws_tokens import WsTokens
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


class Runtime:
    """What handlers and agents work with; attributes exist once `open` has run.

    `usage` and `count` are of the tables, which the composition root sets before.
    """

    usage: RecipientUsage
    count: Callable[[str, Status, Origin], None]

    database: Database
    relay: Relay
    templates: Templates
    renderer: Renderer
    notifications: Notifications
    stored_answers: StoredAnswers
    authentication: Authentication
    request_limit: RequestLimit
    tenancy: Tenancy
    readiness: Readiness
    providers: Providers
    ledger: DeliveryLedger
    pipeline: Pipeline
    upkeep: Upkeep
    admission: Admission
    windows: Windows
    dead_letters: DeadLetters
    dead_letter_limits: Mapping[str, DeadLetterLimit]
    positions: Positions
    audit: Audit
    gauges: Gauges
    range_replays: RangeReplays
    changes: NotificationChanges
    operators: Operators
    overviews: Overviews
    pauses: Pauses
    previews: Previews
    inbox: Inbox
    realtime: Realtime
    webhooks: Webhooks
    webhook_sender: WebhookSender
    erasure: Erasure
    unsubscribe: UnsubscribeLinks
    receipts: Receipts
    retention: Retention

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._told_of_trouble = True  # by a former process of this slot, perhaps
        self._stack = AsyncExitStack()

    async def open(
        self,
        *,
        name: str,
        planning: Mapping[str, str] = PLANNING,
        checks: Mapping[str, Callable[[], Awaitable[None]]] | None = None,
    ) -> None:
        """Open everything that works without PostgreSQL or Kafka being there.

        They are reached when needed.

        Raises:
            Misconfigured: a setting that this process needs is missing or wrong.
        """
        settings = self.settings
        metrics.initialise(channels=CHANNELS, priorities=Priority, statuses=Status)
        if not settings.database_url or not settings.kafka_brokers:
            raise Misconfigured(
                "set NOTISTREAM_DATABASE_URL and NOTISTREAM_KAFKA_BROKERS, or start with `make run`"
            )
        if settings.otlp_endpoint:
            role = name.removeprefix("notistream-")
            tracing.configure(
                endpoint=settings.otlp_endpoint, sampling=settings.trace_sampling, role=role
            )
            self._stack.push_async_callback(asyncio.to_thread, tracing.close)
        self.database = await open_database(
            settings.database_url, size=settings.database_pool_size, name=name, planning=planning
        )
        self._stack.push_async_callback(self.database.close)
        self.inbox = Inbox(self.database)
        self.providers = Providers(
            settings,
            Context(
                timeout_s=settings.webhook_timeout_s,
                public_url=settings.public_url,
                shows_addresses=settings.log_addresses,
                inbox=self.inbox.keep,
                keep=lambda message, outcome: sandbox.keep(self.database, message, outcome),
            ),
        )
        self._stack.push_async_callback(self.providers.aclose)
        kafka = settings.kafka
        self.positions = Positions(
            kafka=kafka, prefix=settings.topic_prefix, group=settings.topic_prefix
        )
        self._stack.push_async_callback(self.positions.close)
        self.windows = Windows(
            self.positions, self.database, channel_rate=settings.rate_limit_per_channel
        )
        self.relay = Relay(
            kafka=kafka, prefix=settings.topic_prefix, database=self.database, windows=self.windows
        )
        self.relay.start()
        self._stack.push_async_callback(self.relay.close)
        self._build_use_cases()
        self._build_delivery()
        self._build_realtime()
        self._build_webhooks()
        self.readiness = Readiness(
            {
                "database": lambda: stats.ping(self.database),
                "kafka": self.relay.check,
                **(checks or {}),
            }
        )

    def _build_use_cases(self) -> None:
        settings, window = self.settings, timedelta(hours=self.settings.idempotency_window_h)
        token = settings.admin_token
        choice = TemplateChoice(self.database)
        self.templates = Templates(self.database, changed=choice.forget, limits=self.limits())
        self.renderer = Renderer(choice, self.limits().__getitem__)
        self.notifications = Notifications(
            database=self.database,
            templates=choice,
            publish=self.relay.publish,
            limits=self.limits(),
            window=window,
        )
        self.unsubscribe = UnsubscribeLinks(
            secrets_of(settings.unsubscribe_secret), settings.public_base
        )
        self.erasure = Erasure(
            self.database, publish=self.relay.publish, also=(inbox.erase, webhooks.erase)
        )
        self.changes = NotificationChanges(self.database, publish=self.relay.publish)
        self.receipts = Receipts(self.database, self.providers.built, publish=self.relay.publish)
        self.pauses = Pauses(self.database, providers=self.providers.names())
        self.previews = Previews(
            self.database,
            check=self.notifications.checked,
            renderer=self.renderer,
            providers=self.providers.names(),
            recipient_rate=parse_rate(settings.recipient_rate_limit),
            unsubscribe=self.unsubscribe,
        )
        self.stored_answers = StoredAnswers(self.database, window=window)
        self.dead_letters = DeadLetters(
            self.database, prefix=settings.topic_prefix, publish=self.relay.publish
        )
        self.dead_letter_limits = {
            channel: DeadLetterLimit(parse_rate(settings.dlq_limit)) for channel in CHANNELS
        }
        self.authentication = Authentication(
            self.database,
            required=settings.auth == "on",
            admin_token=token.get_secret_value() if token else None,
        )
        self._stack.push_async_callback(self.authentication.use.close)
        self.request_limit = RequestLimit(
            parse_rate(settings.api_rate_limit if settings.auth == "on" else "0"),
            partial(request_windows.reserve, self.database),
        )
        self.tenancy = Tenancy(self.database)
        self.operators = operators_of(settings)

    def _build_delivery(self) -> None:
        settings = self.settings
        self.ledger = DeliveryLedger(
            self.database,
            publish=self.relay.publish,
            owner=settings.worker_slot,
            lease=timedelta(seconds=settings.lease_s),
            concurrency=settings.worker_concurrency,
        )
        self.admission = Admission(
            settings, self.providers.names(), partial(tokens.take, self.database)
        )
        self._stack.callback(self.admission.close)
        self.pipeline = Pipeline(
            ledger=self.ledger,
            dispatcher=self.providers,
            checks=Checks(
                renderer=self.renderer,
                caps=CapLedger(self.database),
                recipient_limit=RecipientLimit(
                    self.usage, parse_rate(settings.recipient_rate_limit)
                ),
                unsubscribe=self.unsubscribe,
            ),
            dead_letter_limits=self.dead_letter_limits,
            count=self.count,
            timing=Timing(),
        )
        self.upkeep = Upkeep(
            self.database,
            publish=self.relay.publish,
            takes_leftovers=lambda: self.relay.takes_leftovers,
            rooms=self.windows.rooms,
            jitter=random.random,
        )
        self.range_replays = RangeReplays(self.database, publish=self.relay.publish)
        self.gauges = Gauges(self.database, self.positions)
        self.retention = Retention(self.database, spans(settings))
        self.overviews = Overviews(
            self.database, self.gauges, audit_every_s=settings.audit_interval_s
        )
        self._stack.push_async_callback(self.overviews.close)
        self.audit = Audit(self.database, self.positions, lease=timedelta(seconds=settings.lease_s))

    def _build_realtime(self) -> None:
        settings = self.settings
        self.realtime = Realtime(
            self.database,
            inbox=self.inbox,
            tokens=WsTokens(secrets_of(settings.jwt_secret)),
            kafka=settings.kafka,
            prefix=settings.topic_prefix,
            queue=settings.ws_queue,
            per_process=settings.ws_connections,
            per_tenant=settings.ws_connections_per_tenant,
        )
        self._stack.push_async_callback(self.realtime.close)

    def _build_webhooks(self) -> None:
        client = WebhookClient(allowed_networks(self.settings))
        self._stack.push_async_callback(client.aclose)
        self.webhooks = Webhooks(self.database, client)
        self.webhook_sender = WebhookSender(self.database, client)
        self._stack.push_async_callback(self.webhook_sender.close)

    async def obey(self) -> None:
        """Hold back what operators have paused, and tell them which breakers are not closed."""
        paused = await pauses.current(self.database)
        self.admission.pause(
            {(pause.channel, pause.provider): f"paused: {pause}" for pause in paused}
        )
        await self.pauses.catch_up(paused)
        troubled = [
            OpenBreaker(channel, provider, breaker.state.value, breaker.reason, breaker.blocked_s)
            for channel, provider, breaker in self.admission.troubled()
        ]
        if troubled or self._told_of_trouble:
            await breakers.replace(self.database, self.settings.worker_slot, troubled)
        self._told_of_trouble = bool(troubled)

    def limits(self) -> Mapping[str, int]:
        """Characters that a rendered text may have, per channel."""
        return {
            **{name: channel.max_length for name, channel in CHANNELS.items()},
            "sms": self.settings.sms_max_length,
        }

    async def channel_totals(self, tenant_id: UUID) -> Mapping[str, ChannelTotals]:
        """Sent and failed per channel, zeros included."""
        return await stats.channel_totals(self.database.of(tenant_id), tenant_id)

    async def close(self) -> None:
        """Close in the opposite order."""
        await self._stack.aclose()


def allowed_networks(settings: Settings) -> Allowed:
    """Where webhooks may go although it is not public; raises Misconfigured."""
    try:
        return allowed_from(settings.webhook_allow_networks)
    except ValueError as exc:
        raise Misconfigured(
            f"NOTISTREAM_WEBHOOK_ALLOW_NETWORKS: {exc}; write it like"
            " 127.0.0.0/8,::1/128,hooks.internal"
        ) from None
