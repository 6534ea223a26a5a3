"""The client at real processes, with keys on: every operation, lost answers, limits, and streams
over a restart.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web

from notistream_client import (
    START,
    AsyncClient,
    Client,
    Conflict,
    InboxMessage,
    InvalidRequest,
    NotFound,
    Retries,
    Unauthorized,
    verify,
)
from tests.documented import Documented
from tests.hooks import LOOPBACK, Hooks, hooks
from tests.receiver import Receiver, receiver
from tests.services import Endpoints, delete_topics, fresh_database, topic_prefix
from tests.serving import listening
from tests.stack import PATIENCE_S, Stack, stack, until

pytestmark = [
    pytest.mark.integration,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(300),
]
ADMIN = {"X-Admin-Token": "test-admin-token-0123456789"}
QUICK = Retries(attempts=6, first_wait_s=0.05)
LATER = datetime.now(UTC) + timedelta(days=1)
SMS: dict[str, Any] = {"channel": "sms", "recipient": "+905000000001", "content": "hi"}
ONCE: dict[str, Any] = {**SMS, "recipient": "+905000000002", "content": "once"}


@dataclass
class World:
    """A running product whose API asks for keys."""

    product: Stack
    ledger: Receiver
    hooks: Hooks

    async def key(self, kind: str = "live") -> str:
        """A key of a new tenant."""
        name = f"t{len(self.product.processes)}-{kind}-{datetime.now(UTC).timestamp()}"
        status, tenant = await self.product.call(
            "POST", "/internal/tenants", {"name": name}, headers=ADMIN
        )
        assert status == 201, tenant
        status, made = await self.product.call(
            "POST",
            f"/internal/tenants/{tenant['id']}/api-keys",
            {"name": "k", "kind": kind},
            headers=ADMIN,
        )
        assert status == 201, made
        return str(made["key"])

    async def client(self, **options: Any) -> AsyncClient:
        """Of a new tenant; every answer is compared with the document."""
        return AsyncClient(
            self.product.base,
            **{"api_key": await self.key(), "retries": QUICK, "transport": Documented(), **options},
        )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(
    endpoints: Endpoints, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    """One API and one worker for all of these tests, each of which has a tenant of its own."""
    prefix = topic_prefix()
    async with (
        fresh_database(endpoints) as database_url,
        receiver() as ledger,
        hooks() as called,
        stack(
            database_url=database_url,
            brokers=endpoints.kafka_brokers,
            prefix=prefix,
            folder=tmp_path_factory.mktemp("client"),
            AUTH="on",
            WEBHOOK_URL=ledger.url,
            WEBHOOK_ALLOW_NETWORKS=LOOPBACK,
            JWT_SECRET="client-test-secret-0123456789abcdef",
            RECIPIENT_RATE_LIMIT="0",
        ) as running,
    ):
        await running.api()
        await running.worker()
        yield World(running, ledger, called)
    await delete_topics(endpoints.kafka_brokers, prefix)


async def test_notifications_and_batches(world: World) -> None:
    async with await world.client() as client:
        notification = await client.notifications.create(
            **SMS, metadata={"order": 7}, idempotency_key="order-7"
        )
        assert (notification.status, notification.metadata, notification.final) == (
            "pending",
            {"order": 7},
            False,
        )
        ended = await until(lambda: _final(client, notification.id), what="the delivery")
        assert (ended.status, ended.attempts, ended.sent_at.tzinfo) == ("delivered", 1, UTC)
        trace = await client.notifications.trace(notification.id)
        assert [attempt.outcome for attempt in trace.attempts] == ["delivered"]
        assert {step.gate for step in trace.steps} >= {"expiry", "suppression"}
        with pytest.raises(Conflict) as conflict:
            await client.notifications.create(**SMS, idempotency_key="order-7")
        assert (conflict.value.code, conflict.value.problem.id) == (
            "duplicate_idempotency_key",
            notification.id,
        )
        assert conflict.value.notification is not None
        assert conflict.value.notification.status == "delivered"
        assert (await client.notifications.resend(notification.id)).id == notification.id

        later = await client.notifications.create(**SMS, scheduled_at=LATER)
        moved = await client.notifications.reschedule(
            later.id, scheduled_at=LATER + timedelta(hours=1)
        )
        assert moved.scheduled_at == LATER + timedelta(hours=1)
        assert (await client.notifications.cancel(later.id)).status == "cancelled"
        with pytest.raises(Conflict):
            await client.notifications.resolve(later.id, "delivered")
        preview = await client.notifications.preview(**SMS)
        assert (preview.would, preview.content) == ("send", "hi")

        accepted = await client.notifications.batch(
            [{**SMS, "scheduled_at": LATER, "category": "news"}, {**SMS, "recipient": "0500"}]
        )  # type: ignore[typeddict-item]
        assert len(accepted.accepted) == 1
        assert [(place, one.errors[0].pointer) for place, one in accepted.refused.items()] == [
            (1, "/notifications/1/recipient")
        ]
        assert (await client.batches.get(accepted.batch.id)).pending_count == 1
        assert (await client.batches.cancel(accepted.batch.id)).cancelled_count == 1
        bulk = await client.notifications.bulk(
            channel="sms",
            content="hi",
            category="news",
            scheduled_at=LATER,
            recipients=[{"recipient": f"+90500000000{n}"} for n in range(3)],
        )
        assert (await client.notifications.recall(category="news", channel="sms")).recalled == len(
            bulk.accepted
        )
        with pytest.raises(InvalidRequest) as atomic:
            await client.notifications.batch([{"channel": "sms"}], atomic=True)
        assert atomic.value.pointer is not None

        listed = [
            one.status async for one in client.notifications.list(page_size=2, status=["cancelled"])
        ]
        assert listed == ["cancelled"] * 5
        figures = await client.notifications.figures()
        assert figures.channels["sms"].sent >= 1


async def _final(client: AsyncClient, notification_id: str) -> Any:
    found = await client.notifications.get(notification_id)
    return found if found.final else None


async def test_templates_recipients_and_what_they_wish(world: World) -> None:
    async with await world.client() as client:
        made = await client.templates.create(
            name="hello", channel="sms", body="Hi {{ name }}", metadata={"team": "a"}
        )
        assert (await client.templates.get(made.id)) == made
        again = await client.templates.replace(made.id, version=1, body="Hello {{ name }}")
        assert [one.version async for one in client.templates.versions(made.id, page_size=1)] == [
            again.version,
            1,
        ]
        preview = await client.templates.preview(made.id, template_variables={"name": "Ana"})
        assert (preview.body, preview.missing) == ("Hello Ana", ())
        unsaved = await client.templates.preview_unsaved(
            channel="sms", body="{{ a }}", template_variables={}
        )
        assert unsaved.missing == ("a",)
        assert [one.name async for one in client.templates.list(name="hello")] == ["hello"]
        await client.templates.delete(made.id)
        with pytest.raises(NotFound):
            await client.templates.get(made.id)

        for recipient_id in ("u/1", "ü ?#%", "..", "."):
            contact = await client.recipients.put(
                recipient_id, email="a@example.com", timezone="Europe/Lisbon"
            )
            assert (contact.id, (await client.recipients.get(recipient_id)).timezone) == (
                recipient_id,
                "Europe/Lisbon",
            )
        assert {one.id async for one in client.recipients.list(page_size=1)} == {
            "u/1",
            "ü ?#%",
            "..",
            ".",
        }
        device = await client.devices.register(recipient_id="u/1", token="t/1", platform="ios")
        assert (await client.recipients.get("u/1")).push_tokens == (device.token,)
        await client.devices.forget("t/1")
        wishes = await client.preferences.put(
            "u/1",
            categories={"marketing": False},
            channels={"email": {"quiet_hours": {"start": "22:00", "end": "08:00"}}},
        )
        assert wishes == await client.preferences.get("u/1")
        assert wishes.channels["email"].quiet_hours is not None
        assert wishes.channels["email"].quiet_hours.end == "08:00"
        listed = await client.suppressions.put(
            channel="email", address="b@example.com", reason="bounce"
        )
        assert [one async for one in client.suppressions.list(channel="email")] == [listed]
        await client.suppressions.delete(channel="email", address="b@example.com")
        with pytest.raises(NotFound):
            await client.suppressions.delete(channel="email", address="b@example.com")
        assert (await client.recipients.erase("u/1")).notifications == 0


async def test_webhooks_and_their_verification(world: World) -> None:
    async with await world.client() as client:
        endpoint = await client.webhooks.create(
            url=f"{world.hooks.url}/hook", events=["notification.delivered"]
        )
        secrets = [endpoint.signing_key or ""]
        assert endpoint.secret is not None
        queued = await client.webhooks.test(endpoint.id)
        (call,) = await until(lambda: world.hooks.at("/hook"), what="the test event")
        assert verify(call.body, call.headers, secrets)["type"] == "webhook.test"
        secrets.insert(0, (await client.webhooks.rotate_secret(endpoint.id)).signing_key or "")
        await client.notifications.create(**SMS)
        _, call = await until(
            lambda: len(world.hooks.calls) == 2 and world.hooks.calls, what="the event"
        )
        for known in (secrets, secrets[:1], secrets[1:]):
            assert verify(call.body, call.headers, known)["data"]["status"] == "delivered"
        assert {
            one.event_type async for one in client.webhooks.deliveries(endpoint.id, page_size=1)
        } == {"webhook.test", "notification.delivered"}
        assert (await client.webhooks.delivery(endpoint.id, queued.id)).payload is not None
        assert (await client.webhooks.redeliver(endpoint.id, delivery_id=queued.id)).count == 1
        changed = await client.webhooks.put(
            endpoint.id, url=f"{world.hooks.url}/hook", is_active=False
        )
        assert (await client.webhooks.get(endpoint.id)) == changed
        assert [one.is_active async for one in client.webhooks.list()] == [False]
        await client.webhooks.delete(endpoint.id)


@dataclass
class Proxy:
    """Passes requests on, and loses the answers of the next `losses`: what was asked is done, and
    nobody hears it.
    """

    upstream: str
    losses: int = 0
    replayed: list[bool] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        headers = {name: value for name, value in request.headers.items() if name != "Host"}
        async with aiohttp.request(
            request.method,
            self.upstream + request.path_qs,
            headers=headers,
            data=await request.read(),
        ) as answer:
            body = await answer.read()
        self.replayed.append("Idempotency-Replayed" in answer.headers)
        if self.losses:
            self.losses -= 1
            assert request.transport is not None
            request.transport.abort()
        return web.Response(status=answer.status, body=body, content_type=answer.content_type)


@asynccontextmanager
async def losing(upstream: str) -> AsyncIterator[tuple[Proxy, str]]:
    proxy = Proxy(upstream)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", proxy.handle)
    async with listening(app, shutdown_s=1) as url:
        yield proxy, url


async def test_what_was_done_and_not_heard_is_never_done_again(world: World) -> None:
    key = await world.key()
    calls: list[Callable[[Client], Any]] = [
        lambda c: c.notifications.create(**ONCE),
        lambda c: c.notifications.batch([ONCE, ONCE]),  # type: ignore[list-item]
        lambda c: c.notifications.bulk(
            channel="sms", content="once", recipients=[{"recipient": "+905000000002"}] * 3
        ),
    ]
    async with losing(world.product.base) as (proxy, url):
        with Client(url, api_key=key, retries=QUICK) as client:
            for call, losses in product(calls, (1, 3)):
                proxy.losses, proxy.replayed = losses, []
                await asyncio.to_thread(call, client)
                assert proxy.replayed == [False] + [True] * losses
        async with AsyncClient(url, api_key=key, retries=QUICK) as client:
            proxy.losses = 2
            notification = await client.notifications.create(**ONCE)
            await until(lambda: _final(client, notification.id), what="the delivery")
            proxy.losses = 2
            await client.notifications.resend(notification.id)
            await until(
                lambda: _delivered(world, "once") == 14,
                what="twice 1 + 2 + 3, then 1, and that again",
            )
            await until(lambda: _all_final(client), what="all to end")
            assert len([one async for one in client.notifications.list()]) == 13
    assert _delivered(world, "once") == 14


def _delivered(world: World, content: str) -> int:
    return sum(call["content"] == content for call in world.ledger.calls)


async def _all_final(client: AsyncClient) -> bool:
    return all([one.final async for one in client.notifications.list()])


async def test_keys_tokens_and_limits(world: World) -> None:
    for options in (
        {"api_key": None},
        {"api_key": "ns_live_wrong"},
        {"api_key": None, "token": "wrong"},
    ):
        async with await world.client(**options) as client:
            with pytest.raises(Unauthorized):
                await client.inbox.count_unread("u")
            with pytest.raises(Unauthorized):
                async for _ in client.streams.statuses():
                    pass
    async with await world.client(api_key=await world.key("test")) as client:
        await client.notifications.create(**SMS)
        kept = await until(lambda: _kept(client), what="the sandbox")
        assert [(one.recipient, one.outcome) for one in kept] == [(SMS["recipient"], "delivered")]
    limited = await world.product.api(API_RATE_LIMIT="3/1s")
    async with AsyncClient(
        limited.url, api_key=await world.key(), retries=Retries(attempts=20)
    ) as client:
        for _ in range(8):
            await client.notifications.figures()
    met = await world.product.metric(limited, "notistream_http_requests_total", status="429")
    assert met > 0, "the limit was waited for"


async def _kept(client: AsyncClient) -> Any:
    return [one async for one in client.notifications.sandbox(channel="sms")]


async def test_an_inbox_stream_misses_nothing_while_its_process_is_away(world: World) -> None:
    first = world.product.processes[0]
    second = await world.product.api()
    key = await world.key()
    async with (
        AsyncClient(second.url, api_key=key) as sender,
        AsyncClient(
            first.url, api_key=key, retries=Retries(first_wait_s=0.05, longest_wait_s=0.5)
        ) as reader,
        asyncio.timeout(2 * PATIENCE_S),
    ):
        token = (await reader.inbox.token("ü/1", ttl_s=600)).token
        await _deliver(sender, 0, 3)
        stream = reader.streams.inbox("ü/1", since=START)
        async with aclosing(stream):
            got = [await anext(stream) for _ in range(3)]
            await first.kill()
            await _deliver(sender, 3, 6)
            waiting = asyncio.create_task(_take(stream, 3))
            await first.start()
            got += await waiting
        assert [one.body for one in got] == [str(n) for n in range(6)]
        listed = [one async for one in reader.inbox.list("ü/1", page_size=4)]
        assert listed == got[::-1]
        await reader.inbox.mark_read(got[0].id, "ü/1")
        assert (await reader.inbox.count_unread("ü/1")).unread == 5
    async with AsyncClient(second.url, token=token) as browser:
        assert len([one async for one in browser.inbox.list(unread=True)]) == 5
        await browser.inbox.mark_all_read()
        assert (await browser.inbox.count_unread()).unread == 0


async def _take(stream: Any, count: int) -> list[InboxMessage]:
    return [await anext(stream) for _ in range(count)]


async def _deliver(client: AsyncClient, start: int, end: int) -> None:
    for number in range(start, end):
        made = await client.notifications.create(
            channel="in_app", recipient="ü/1", content=str(number)
        )
        await until(lambda made=made: _final(client, made.id), what="the inbox")  # type: ignore[misc]


async def test_status_updates_of_the_tenant(world: World) -> None:
    async with (
        await world.client() as client,
        await world.client() as stranger,
        asyncio.timeout(PATIENCE_S),
    ):
        stream, other = client.streams.statuses(), stranger.streams.statuses()
        async with aclosing(stream), aclosing(other):
            waiting = asyncio.ensure_future(anext(stream))
            unheard = asyncio.ensure_future(anext(other))
            heard: set[str] = set()
            while not waiting.done():  # what happens before the stream is open is not told
                heard.add((await client.notifications.create(**SMS)).id)
                await asyncio.wait([waiting], timeout=0.2)
            update = waiting.result()
            assert (update.notification_id in heard, update.status, update.channel) == (
                True,
                "delivered",
                "sms",
            )
            assert not unheard.done()
            unheard.cancel()
            await asyncio.gather(unheard, return_exceptions=True)
