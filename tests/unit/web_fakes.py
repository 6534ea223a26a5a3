"""The web application over fake use cases that keep everything in memory."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from typing import Any, cast
from unittest.mock import patch
from uuid import UUID

from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient, TestServer

from notistream.access.authentication import Principal
from notistream.access.failed_logins import FailedLogins
from notistream.access.operators import Operators
from notistream.access.tenants import Tenancy
from notistream.console import routes as console
from notistream.db import batches, dead_letters, notifications
from notistream.db.idempotency import RequestKey, StoredAnswer
from notistream.db.notifications import Filter, Page
from notistream.db.pool import Database
from notistream.db.records import (
    StoredBatch,
    StoredNotification,
    StoredTemplate,
    StoredTemplateVersion,
)
from notistream.db.templates import Replacement
from notistream.dead_letters.letters import ReplayCount
from notistream.dead_letters.range_replay import RangeReplays
from notistream.delivery.unsubscribe import NO_LINKS, UnsubscribeLinks
from notistream.domain.draft import Draft, check
from notistream.domain.notification import CHANNELS
from notistream.domain.template_preview import TemplatePreview, preview
from notistream.domain.template_text import TemplateVersion
from notistream.domain.webhook_address import Allowed
from notistream.errors import (
    IdempotencyKeyReused,
    InvalidRequest,
    NotFound,
    NotiStreamError,
    RequestInFlight,
    Unauthorized,
)
from notistream.kafka.connection import Kafka
from notistream.operating.pauses import Pauses
from notistream.realtime.listeners import ConnectionLimits, Realtime
from notistream.realtime.recipient_tokens import RecipientTokens
from notistream.recording.receipts import Receipts
from notistream.recording.trace import Timeline, timeline
from notistream.runtime import Runtime
from notistream.sending.acceptance import BatchResult, Caller, DuplicateKey
from notistream.sending.changes import NotificationChanges
from notistream.sending.preview import Preview
from notistream.templates.library import TemplateDraft
from notistream.web.batches import examples as batch_examples
from notistream.web.dead_letters import routes as dead_letter_routes
from notistream.web.notifications import examples
from notistream.web.previews.examples import QUIET
from notistream.web.routes import MIDDLEWARES, ROUTES, install
from notistream.web.templates import examples as template_examples
from notistream.web.templates import routes as template_routes
from notistream.webhooks.client import WebhookClient
from notistream.webhooks.endpoints import Webhooks

ADMIN = {"X-Admin-Token": "admin-token"}
LIMITS = {name: channel.max_length for name, channel in CHANNELS.items()}


class FakeNotifications:
    """Checks drafts as the real one does; `fails` is raised instead of storing."""

    def __init__(self) -> None:
        self.drafts: list[Draft] = []
        self.senders: list[Caller] = []
        self.atomic: bool | None = None
        self.filters: list[tuple[Filter, int]] = []
        self.fails: Exception | None = None
        self.page: list[StoredNotification] = []

    async def create(self, draft: Draft, sender: Caller) -> StoredNotification:
        self.senders.append(sender)
        if self.fails:
            raise self.fails
        errors = check(draft, now=datetime.now(UTC), limits=LIMITS)
        if errors:
            raise InvalidRequest(errors)
        self.drafts.append(draft)
        return replace(
            examples.PENDING, channel=draft.channel, idempotency_key=draft.idempotency_key
        )

    async def create_batch(
        self, drafts: Sequence[Draft | InvalidRequest], sender: Caller, *, atomic: bool
    ) -> BatchResult:
        self.atomic = atomic
        items: list[StoredNotification | NotiStreamError] = [
            await self._item(d, sender) for d in drafts
        ]
        stored = sum(isinstance(i, StoredNotification) for i in items)
        return BatchResult(
            replace(
                batch_examples.STORED_BATCH, total_count=stored, rejected_count=len(items) - stored
            ),
            items,
        )

    async def _item(
        self, draft: Draft | InvalidRequest, sender: Caller
    ) -> StoredNotification | NotiStreamError:
        if isinstance(draft, InvalidRequest):
            return draft
        try:
            return await self.create(draft, sender)
        except (InvalidRequest, DuplicateKey) as exc:
            return exc

    async def get(self, tenant_id: UUID, notification_id: UUID) -> StoredNotification:
        if self.fails:
            raise self.fails
        if notification_id != examples.ID:
            raise NotFound("there is no such notification")
        return replace(examples.DELIVERED, tenant_id=tenant_id)

    async def cancel(self, tenant_id: UUID, notification_id: UUID) -> StoredNotification:
        await self.get(tenant_id, notification_id)
        return examples.CANCELLED

    async def list_page(self, _db: object, tenant_id: UUID, shown: Filter, *, limit: int) -> Page:
        self.filters.append((shown, limit))
        found = [replace(stored, tenant_id=tenant_id) for stored in self.page[:limit]]
        return Page(found, found[-1].id if len(self.page) > limit else None)

    async def trace(self, tenant_id: UUID, notification_id: UUID) -> Timeline:
        return timeline(await self.get(tenant_id, notification_id), [], [examples.ATTEMPT])

    async def batch(self, _db: object, tenant_id: UUID, batch_id: UUID) -> StoredBatch:
        return replace(batch_examples.STORED_BATCH, tenant_id=tenant_id, id=batch_id)


class FakeTemplates:
    """Stores what it is given."""

    def __init__(self) -> None:
        self.created: list[Mapping[str, Any]] = []

    async def create(self, tenant_id: UUID, wanted: TemplateDraft) -> StoredTemplate:
        given = {f.name: getattr(wanted, f.name) for f in fields(wanted)}
        self.created.append(given)
        return replace(template_examples.STORED_TEMPLATE, tenant_id=tenant_id, **given)

    async def get(self, tenant_id: UUID, template_id: UUID) -> StoredTemplate:
        return replace(template_examples.STORED_TEMPLATE, tenant_id=tenant_id, id=template_id)

    async def replace(
        self, tenant_id: UUID, template_id: UUID, wanted: Replacement, **given: Any
    ) -> StoredTemplate:
        self.created.append({"wanted": wanted, **given})
        return replace(
            template_examples.STORED_TEMPLATE,
            tenant_id=tenant_id,
            id=template_id,
            content=wanted.content,
            version=2,
        )

    async def delete(self, tenant_id: UUID, template_id: UUID) -> None:
        await self.get(tenant_id, template_id)

    async def versions(
        self, tenant_id: UUID, template_id: UUID, **_given: Any
    ) -> list[StoredTemplateVersion]:
        return list(template_routes.VERSIONS)

    async def preview(
        self,
        content: TemplateVersion,
        variables: Mapping[str, Any],
        *,
        channel: str,
        locale: str | None,
    ) -> tuple[str | None, TemplatePreview]:
        return None, preview(content.text, variables, channel=channel, limit=LIMITS[channel])


class FakeReplays:
    """The contract of Replays, in a dictionary."""

    def __init__(self) -> None:
        self.known: dict[RequestKey, StoredAnswer] = {}
        self.fails: Exception | None = None

    async def begin(self, key: RequestKey, body: bytes) -> StoredAnswer | None:
        known = self.known.get(key)
        if known is None:
            self.known[key] = StoredAnswer(body, None, None, None)
            return None
        if known.body_hash != body:
            raise IdempotencyKeyReused
        if known.status is None:
            raise RequestInFlight
        return known

    async def complete(
        self, key: RequestKey, *, status: int, headers: Mapping[str, str], body: bytes
    ) -> None:
        if self.fails:
            raise self.fails
        self.known[key] = StoredAnswer(self.known[key].body_hash, status, headers, body)

    async def abandon(self, key: RequestKey) -> None:
        if self.fails:
            raise self.fails
        del self.known[key]


class FakeDeadLetters:
    """One dead letter that waits; `calls` is what was asked of them."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.whole = dead_letter_routes.WHOLE

    async def list_page(
        self, _db: object, shown: Any, *, before: UUID | None, limit: int
    ) -> list[Any]:
        self.calls.append(("list", shown, before, limit))
        return [dead_letter_routes.LETTER] * min(limit, 3)

    async def get(self, entry_id: UUID) -> Any:
        if entry_id != self.whole.id:
            raise NotFound
        return self.whole

    async def replay(self, entry_id: UUID, *, actor: str) -> Any:
        self.calls.append(("replay", entry_id, actor))
        await self.get(entry_id)
        return dead_letter_routes.REPLAYED

    async def kinds(self, _meant: Any) -> Any:
        return dead_letter_routes.KINDS

    async def replay_matching(self, meant: Any, *, actor: str, limit: int) -> ReplayCount:
        self.calls.append(("replay_matching", meant, actor, limit))
        return ReplayCount(15, 2)

    async def delete(self, ids: Sequence[UUID], *, actor: str) -> frozenset[UUID]:
        self.calls.append(("delete", ids, actor))
        return frozenset(ids) & {self.whole.id}


class FakePreviews:
    """Checks drafts as a create does, and answers one thing."""

    async def preview(self, draft: Draft, _sender: Caller) -> Preview:
        errors = check(draft, now=datetime.now(UTC), limits=LIMITS)
        if errors:
            raise InvalidRequest(errors)
        return QUIET


class FakeAccess:
    """One key, `good`, and whether it is needed."""

    def __init__(self) -> None:
        self.required = False
        self.failed_logins = FailedLogins()

    async def authenticate(self, api_key: str | None) -> Principal:
        if self.required and api_key != "good":
            raise Unauthorized
        return Principal(examples.TENANT)

    def is_admin(self, token: str | None) -> bool:
        return token == ADMIN["X-Admin-Token"]


class FakeReadiness:
    def __init__(self) -> None:
        self.states = {"database": "healthy", "kafka": "healthy"}

    async def checks(self) -> Mapping[str, str]:
        return self.states


@dataclass
class FakeRuntime:
    """What handlers use of a Runtime."""

    notifications: FakeNotifications = field(default_factory=FakeNotifications)
    templates: FakeTemplates = field(default_factory=FakeTemplates)
    stored_answers: FakeReplays = field(default_factory=FakeReplays)
    authentication: FakeAccess = field(default_factory=FakeAccess)
    readiness: FakeReadiness = field(default_factory=FakeReadiness)
    dead_letters: FakeDeadLetters = field(default_factory=FakeDeadLetters)
    previews: FakePreviews = field(default_factory=FakePreviews)
    changes: NotificationChanges | None = None
    range_replays: RangeReplays | None = None
    pauses: Pauses | None = None
    tenancy: Tenancy | None = None
    operators: Operators = field(
        default_factory=lambda: Operators({"ada": "a" * 16}, {"eve": "e" * 16})
    )
    realtime: Realtime | None = None
    webhooks: Webhooks | None = None
    unsubscribe: UnsubscribeLinks = NO_LINKS
    receipts: Receipts | None = None
    database: Database | None = None
    """A real one without a server: what would reach PostgreSQL is answered with 503."""


Client = TestClient[web.Request, web.Application]
SERVED = (*ROUTES, *console.CONSOLE)
"""What `notistream.main` serves: the API and the console."""


@asynccontextmanager
async def serving() -> AsyncIterator[tuple[Client, FakeRuntime]]:
    """A client of the real routes and middleware, and the fakes behind them."""
    database = Database("postgresql://x@127.0.0.1:1/x", size=1, name="test")
    fakes = FakeRuntime(
        database=database,
        changes=NotificationChanges(database, publish=lambda _: None),
        range_replays=RangeReplays(database),
        tenancy=Tenancy(database),
        webhooks=Webhooks(database, WebhookClient(Allowed())),
        receipts=Receipts(database, {}, publish=lambda _: None),
        pauses=Pauses(database, providers={"sms": ["console"]}),
    )
    fakes.realtime = Realtime(
        database,
        tokens=RecipientTokens(["s" * 32]),
        kafka=Kafka("127.0.0.1:1"),
        prefix="test",
        limits=ConnectionLimits(queue=10, per_process=10, per_tenant=5),
    )
    app = web.Application(middlewares=MIDDLEWARES)
    install(app, cast("Runtime", fakes), SERVED)
    console.prepare(app)
    with (
        patch.object(notifications, "list_page", fakes.notifications.list_page),
        patch.object(batches, "get", fakes.notifications.batch),
        patch.object(dead_letters, "list_page", fakes.dead_letters.list_page),
    ):
        async with TestClient(TestServer(app)) as client:
            yield client, fakes


async def problem_of(response: ClientResponse, status: int) -> dict[str, Any]:
    """The problem, after checking what every problem has."""
    shown = await response.json(content_type=None)
    assert response.status == status, shown
    assert response.headers["Content-Type"] == "application/problem+json"
    assert {
        "type",
        "title",
        "status",
        "detail",
        "code",
        "errors",
        "trace_id",
        "error",
    } <= shown.keys()
    assert shown["status"] == status
    assert shown["type"].endswith("#" + shown["code"])
    assert "Traceback" not in str(shown)
    found: dict[str, Any] = shown
    return found


def pointers(problem: Mapping[str, Any]) -> list[str]:
    return [e["pointer"] for e in problem["errors"]]
