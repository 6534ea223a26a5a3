"""Webhooks over the real API, a real PostgreSQL and a receiver that verifies: endpoints, calls,
retries, redelivery.
"""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest
from standardwebhooks.webhooks import WebhookVerificationError

from notistream.db import audit_log, tenants, webhook_deliveries, webhooks
from notistream.domain.event import Event, Events
from notistream.domain.webhook import EVENT_TYPES, SCHEDULE_S
from notistream.domain.webhook_signature import key_of
from notistream.observability import metrics
from notistream.web.webhooks.routes import WEBHOOKS
from notistream.webhooks import sender
from notistream.webhooks.endpoints import MOST
from tests.hooks import LOOPBACK, hooks
from tests.integration.test_api_contract import serving
from tests.integration.test_plans import looked_at
from tests.stack import until
from tests.unit.web_fakes import pointers, problem_of

pytestmark = pytest.mark.integration
BASE = "/api/v1/webhooks"


class World:
    """An API, a receiver, and a sender that the test drives."""

    def __init__(self, client, runtime, receiver, tenant_id):
        self.client = client
        self.db = runtime.database
        self.sender = runtime.webhook_sender
        self.receiver = receiver
        self.tenant_id = tenant_id

    async def call(self, method, path="", body=None, *, status=200):
        answer = await self.client.request(
            method, f"{BASE}{path}", **({} if body is None else {"json": body})
        )
        assert answer.status == status, await answer.text()
        return None if status == 204 else await answer.json()

    async def register(self, path="/hook", **fields):
        return await self.call("POST", "", {"url": self.receiver.url + path, **fields}, status=201)

    def events(self, *types, tenant_id=None, **data):
        data = {"notification_id": str(uuid4()), "recipient_id": "u-1", **data}
        found = [
            Event(uuid4(), kind, datetime.now(UTC), {**data, "status": kind.split(".")[1]})
            for kind in types
        ]
        return Events(1, tenant_id or self.tenant_id, found)

    async def happen(self, *types, **data):
        """Events happen; how many deliveries that makes."""
        return await webhook_deliveries.enqueue(
            self.db, webhook_deliveries.lines(self.events(*types, **data))
        )

    async def send(self):
        """Call what is due until nothing more is."""
        while True:
            await self.sender.step()
            if not self.sender._calls:
                return
            await asyncio.wait(self.sender._calls)

    async def deliveries(self, endpoint, query=""):
        return (await self.call("GET", f"/{endpoint['id']}/deliveries?page_size=100{query}"))[
            "data"
        ]

    async def pass_time(self, seconds):
        """As if so many seconds had passed for what waits."""
        await self.db.fetch(
            "UPDATE webhook_deliveries SET due_at = due_at - $1::interval WHERE due_at IS NOT NULL",
            timedelta(seconds=seconds),
        )


@pytest.fixture
async def world(database_url):
    async with (
        hooks() as receiver,
        serving(database_url, webhook_allow_networks=LOOPBACK) as (client, runtime),
    ):
        tenant, _ = await tenants.create(runtime.database, "default")
        yield World(client, runtime, receiver, tenant.id)


@pytest.mark.parametrize("route", WEBHOOKS, ids=lambda r: f"{r.method} {r.path}")
async def test_documented_examples_work(world, route):
    endpoint = await world.register()
    await world.happen("notification.failed")
    (delivery,) = await world.deliveries(endpoint)
    await world.send()
    path = route.path.format(id=endpoint["id"], delivery_id=delivery["id"])
    for example in route.operation.body.examples.values() if route.operation.body else [None]:
        body = example and {
            name: (
                delivery["id"]
                if name == "delivery_id"
                else v.isoformat()
                if isinstance(v, datetime)
                else v
            )
            for name, v in example.items()
        }
        answer = await world.client.request(
            route.method, path, **({} if body is None else {"json": body})
        )
        assert answer.status in route.operation.answers, await answer.text()


async def test_an_endpoint_is_registered_shown_replaced_and_deleted(world):
    made = await world.register(
        description="d", events=["notification.failed", "notification.failed"]
    )
    assert made["secret"].startswith("whsec_")
    assert made["signing_key"] == made["secret"]
    assert len(key_of(made["secret"])) == 32
    assert (made["events"], made["is_active"], made["description"]) == (
        ["notification.failed"],
        True,
        "d",
    )
    shown = await world.call("GET", f"/{made['id']}")
    assert {**shown, "secret": made["secret"], "signing_key": made["signing_key"]} == made
    put = await world.call(
        "PUT", f"/{made['id']}", {"url": world.receiver.url + "/b", "is_active": False}
    )
    assert (put["description"], put["events"], put["is_active"], put["url"]) == (
        None,
        [],
        False,
        world.receiver.url + "/b",
    )
    assert "secret" not in put
    other = await world.register("/c")
    page = await world.call("GET", "?page_size=1")
    assert [e["id"] for e in page["data"]] == [other["id"]]
    page = await world.call("GET", f"?page_size=1&cursor={page['next_cursor']}")
    assert ([e["id"] for e in page["data"]], page["next_cursor"]) == ([made["id"]], None)
    await world.call("DELETE", f"/{made['id']}", status=204)
    for method, path, body in [
        ("GET", "", None),
        ("DELETE", "", None),
        ("PUT", "", {"url": world.receiver.url}),
        ("POST", "/test", {}),
        ("POST", "/rotate-secret", {}),
        ("GET", "/deliveries", None),
        ("GET", f"/deliveries/{uuid4()}", None),
        ("POST", "/redeliver", {"delivery_id": str(uuid4())}),
    ]:
        answer = await world.client.request(
            method, f"{BASE}/{made['id']}{path}", **({} if body is None else {"json": body})
        )
        await problem_of(answer, 404)


async def test_there_is_a_maximum_of_endpoints_even_when_many_come_at_once(world):
    for _ in range(MOST - 2):
        await webhooks.create(
            world.db,
            world.tenant_id,
            uuid4(),
            webhooks.Wanted(url="x", description=None, events=[], is_active=True),
            secret="s",
            most=MOST,
        )
    answers = await asyncio.gather(
        *(world.client.post(BASE, json={"url": world.receiver.url}) for _ in range(6))
    )
    assert sorted(answer.status for answer in answers) == [201, 201, 409, 409, 409, 409]


async def test_a_receiver_verifies_and_tampering_is_noticed(world):
    endpoint = await world.register()
    own = await world.register("/own", secret="a secret of our own")
    assert await world.happen("notification.delivered") == 2
    await world.send()
    (call,) = world.receiver.at("/hook")
    call.verify(endpoint["secret"])
    with pytest.raises(WebhookVerificationError):
        call.verify(own["signing_key"])
    (mine,) = world.receiver.at("/own")
    mine.verify(b"a secret of our own")
    mine.verify(own["signing_key"])
    assert set(call.json) == {"type", "timestamp", "data"}
    assert call.json["type"] == "notification.delivered"
    assert call.json["data"]["recipient_id"] == "u-1"
    assert call.headers["user-agent"].startswith("NotiStream/")
    assert call.headers["content-type"] == "application/json"
    assert call.headers["traceparent"][3:35] == (await world.deliveries(endpoint))[0][
        "event_id"
    ].replace("-", "")
    assert call.id == (await world.deliveries(endpoint))[0]["id"] != mine.id


async def test_during_a_rotation_both_secrets_verify_and_afterwards_the_new_one(world):
    endpoint = await world.register()
    rotated = await world.call(
        "POST", f"/{endpoint['id']}/rotate-secret", {"secret": "our own new secret"}
    )
    assert rotated["secret"] == "our own new secret"
    until_ = datetime.fromisoformat(rotated["old_secret_until"]) - datetime.now(UTC)
    assert timedelta(hours=23) < until_ <= timedelta(hours=24)
    await world.happen("notification.failed")
    await world.send()
    for secret in (endpoint["secret"], rotated["signing_key"]):
        world.receiver.calls[0].verify(secret)
    await world.db.fetch("UPDATE webhook_endpoints SET old_secret_until = now()")
    await world.happen("notification.failed")
    await world.send()
    world.receiver.calls[1].verify(rotated["signing_key"])
    with pytest.raises(WebhookVerificationError):
        world.receiver.calls[1].verify(endpoint["secret"])
    put = await world.call(
        "PUT", f"/{endpoint['id']}", {"url": world.receiver.url, "secret": "the third secret"}
    )
    assert put["secret"] == "the third secret"
    assert put["old_secret_until"]


async def test_an_endpoint_is_told_of_what_it_wants_once(world):
    everything = await world.register("/all")
    await world.register("/some", events=["notification.failed", "device_token.deactivated"])
    await world.register("/off", is_active=False)
    told = world.events(*EVENT_TYPES, "notification.processing", "notification.retrying")
    lines = webhook_deliveries.lines(told)
    assert await webhook_deliveries.enqueue(world.db, lines) == 8
    assert await webhook_deliveries.enqueue(world.db, [*lines, *lines]) == 0, (
        "the same record again"
    )
    await world.send()
    assert sorted(call.json["type"] for call in world.receiver.at("/all")) == sorted(EVENT_TYPES)
    assert {call.json["type"] for call in world.receiver.at("/some")} == {
        "notification.failed",
        "device_token.deactivated",
    }
    assert world.receiver.at("/off") == []
    assert {d["status"] for d in await world.deliveries(everything)} == {"delivered"}
    other, _ = await tenants.create(world.db, "other")
    assert (
        await webhook_deliveries.enqueue(
            world.db,
            webhook_deliveries.lines(world.events("notification.failed", tenant_id=other.id)),
        )
        == 0
    )
    assert await webhook_deliveries.listening(world.db, [other.id, world.tenant_id]) == {
        world.tenant_id
    }


async def test_attempts_follow_the_schedule_then_it_is_redelivered(world):
    endpoint = await world.register()
    world.receiver.answer = lambda _: (503, {}, "busy")
    await world.happen("notification.failed")
    for count, wait in enumerate([*SCHEDULE_S[1:], None], start=1):
        await world.send()
        assert len(world.receiver.calls) == count
        await world.send()
        assert len(world.receiver.calls) == count, "not before it is due"
        (delivery,) = await world.deliveries(endpoint)
        assert (delivery["attempts"], delivery["response_status"]) == (count, 503)
        if wait is not None:
            left = datetime.fromisoformat(delivery["next_attempt_at"]) - datetime.now(UTC)
            assert wait - 60 < left.total_seconds() <= wait
            await world.pass_time(wait)
    assert (delivery["status"], delivery["error"]) == ("failed", "HTTP 503 (after 8 attempts)")
    assert (
        len({call.id for call in world.receiver.calls})
        == len({call.body for call in world.receiver.calls})
        == 1
    )
    whole = await world.call("GET", f"/{endpoint['id']}/deliveries/{delivery['id']}")
    assert [(c["number"], c["status"], c["response"]) for c in whole["history"]] == [
        (n, 503, "busy") for n in range(1, 9)
    ]
    assert whole["payload"] == world.receiver.calls[0].json
    world.receiver.answer = lambda _: (200, {}, "x" * 5000 + "ü")
    queued = await world.call(
        "POST", f"/{endpoint['id']}/redeliver", {"delivery_id": delivery["id"]}, status=202
    )
    assert queued == {"count": 1}
    await world.send()
    delivery = await world.call("GET", f"/{endpoint['id']}/deliveries/{delivery['id']}")
    assert (delivery["status"], delivery["attempts"], len(delivery["history"])) == (
        "delivered",
        1,
        9,
    )
    assert delivery["history"][-1]["response"] == "x" * 1024
    assert world.receiver.calls[8].id == world.receiver.calls[0].id
    assert (await world.call("GET", f"/{endpoint['id']}"))["failing_since"] is None


async def test_a_receiver_may_ask_for_more_time(world):
    endpoint = await world.register()
    world.receiver.answer = lambda _: (429, {"Retry-After": "120"}, "")
    await world.happen("notification.failed")
    await world.send()
    (delivery,) = await world.deliveries(endpoint)
    left = datetime.fromisoformat(delivery["next_attempt_at"]) - datetime.now(UTC)
    assert 60 < left.total_seconds() <= 120


async def test_a_span_is_redelivered_by_status(world):
    endpoint = await world.register()
    world.receiver.answer = lambda call: (
        204 if call.json["type"].endswith("delivered") else 410,
        {},
        "",
    )
    started = datetime.now(UTC)
    for kind in ("notification.delivered", "notification.failed", "notification.expired"):
        await world.happen(kind)
        await world.send()
        await world.call("PUT", f"/{endpoint['id']}", {"url": world.receiver.url})
    path = f"/{endpoint['id']}/redeliver"
    assert len(await world.deliveries(endpoint, "&status=failed")) == 2
    assert [
        d["event_type"]
        for d in await world.deliveries(endpoint, "&event_type=notification.expired")
    ] == ["notification.expired"]
    assert await world.deliveries(endpoint, "&status=pending") == []
    past = (started - timedelta(days=2)).isoformat()
    hour_ago = (started - timedelta(hours=1)).isoformat()
    world.receiver.answer = lambda _: (204, {}, "")
    assert await world.call("POST", path, {"since": past, "until": hour_ago}, status=202) == {
        "count": 0
    }
    assert await world.call("POST", path, {"since": hour_ago}, status=202) == {"count": 2}
    assert await world.call("POST", path, {"since": hour_ago}, status=202) == {"count": 0}, (
        "they are on their way"
    )
    await world.send()
    assert await world.call("POST", path, {"since": hour_ago, "status": "all"}, status=202) == {
        "count": 3
    }
    await world.send()
    assert len(world.receiver.calls) == 3 + 2 + 3
    await world.call("PUT", f"/{endpoint['id']}", {"url": world.receiver.url, "is_active": False})
    for body in ({"since": hour_ago}, {"delivery_id": str(uuid4())}):
        answer = await world.client.post(f"{BASE}{path}", json=body)
        assert (await problem_of(answer, 409))["code"] == "webhook_inactive"


async def test_gone_switches_the_endpoint_off_with_a_notice(world):
    endpoint = await world.register()
    world.receiver.answer = lambda _: (410, {}, "")
    before = metrics.WEBHOOK_DISABLED._value.get()
    await world.happen("notification.failed")
    await world.send()
    shown = await world.call("GET", f"/{endpoint['id']}")
    assert (shown["is_active"], shown["disabled_reason"]) == (False, "it answered 410 Gone")
    assert shown["disabled_at"]
    (delivery,) = await world.deliveries(endpoint)
    assert (delivery["status"], delivery["attempts"]) == ("failed", 1)
    (entry,) = await audit_log.list_page(world.db, limit=5)
    assert (entry.actor, entry.action, entry.target) == (
        "worker",
        "webhook.disable",
        endpoint["id"],
    )
    assert metrics.WEBHOOK_DISABLED._value.get() == before + 1
    assert await world.happen("notification.failed") == 0
    shown = await world.call("PUT", f"/{endpoint['id']}", {"url": world.receiver.url})
    assert (shown["is_active"], shown["disabled_at"], shown["disabled_reason"]) == (
        True,
        None,
        None,
    )


async def test_days_of_failure_switch_the_endpoint_off_and_what_waits_goes_out_when_it_is_on(world):
    endpoint = await world.register()
    world.receiver.answer = lambda _: (500, {}, "")
    await world.happen("notification.failed")
    await world.send()
    assert (await world.call("GET", f"/{endpoint['id']}"))["failing_since"]
    await world.db.fetch(
        "UPDATE webhook_endpoints SET failing_since = now() - interval '4 days 23 hours'"
    )
    await world.pass_time(5)
    await world.send()
    assert (await world.call("GET", f"/{endpoint['id']}"))["is_active"]
    await world.db.fetch("UPDATE webhook_endpoints SET failing_since = now() - interval '5 days'")
    await world.pass_time(300)
    await world.send()
    shown = await world.call("GET", f"/{endpoint['id']}")
    assert (shown["is_active"], shown["disabled_reason"]) == (
        False,
        "every call has failed for 5 days",
    )
    await world.pass_time(40_000)
    await world.send()
    assert len(world.receiver.calls) == 3, "an inactive endpoint is not called"
    world.receiver.answer = lambda _: (204, {}, "")
    await world.call("PUT", f"/{endpoint['id']}", {"url": world.receiver.url})
    await world.send()
    assert [d["status"] for d in await world.deliveries(endpoint)] == ["delivered"]


async def test_a_success_resets_the_days(world):
    endpoint = await world.register()
    await world.db.fetch("UPDATE webhook_endpoints SET failing_since = now() - interval '9 days'")
    await world.happen("notification.failed")
    await world.send()
    shown = await world.call("GET", f"/{endpoint['id']}")
    assert (shown["is_active"], shown["failing_since"]) == (True, None)


async def test_a_slow_endpoint_does_not_delay_a_fast_one(world, monkeypatch):
    slow, fast = await world.register("/slow"), await world.register("/fast")
    world.receiver.slow = lambda call: call.path == "/slow"
    for _ in range(5):
        await world.happen(*["notification.failed"] * 20)

    async def sent():
        await world.sender.step()
        return len(world.receiver.at("/fast")) == 100

    await until(sent, what="all hundred at the fast one")
    assert len(world.receiver.at("/slow")) == sender.PER_ENDPOINT, (
        "none of the slow one's has ended"
    )
    assert len(await world.deliveries(slow, "&status=pending")) == 100
    world.receiver.gate.set()
    await until(lambda: _stepped(world, slow), what="the slow one's to end")
    assert len(world.receiver.at("/slow")) == 100
    assert len({call.id for call in world.receiver.calls}) == 200
    assert {d["status"] for d in await world.deliveries(fast)} == {"delivered"}


def test_a_tenant_cannot_take_all_room():
    assert MOST * sender.PER_ENDPOINT < sender.AT_ONCE


async def test_taking_looks_at_what_is_due_only(world, database_url):
    """However many have ended, or wait, or are due at an endpoint that has no room."""
    slow, fast = await world.register("/slow"), await world.register("/fast")
    connection = await asyncpg.connect(database_url)
    for endpoint, count, wait, status in [
        (slow, 20_000, None, "delivered"),
        (slow, 5000, timedelta(0), "pending"),
        (fast, 5000, timedelta(hours=1), "pending"),
        (fast, 3, timedelta(0), "pending"),
    ]:
        await connection.execute(ROWS, world.tenant_id, UUID(endpoint["id"]), status, wait, count)
    await connection.execute("ANALYZE webhook_deliveries")
    rows = await looked_at(
        connection,
        *webhook_deliveries.SQL["take"](
            limit=512,
            calls=[{"id": UUID(slow["id"]), "calls": 8}],
            per_endpoint=8,
            lease_token=uuid4(),
            lease=timedelta(seconds=45),
        ),
        table="webhook_deliveries",
    )
    assert rows <= 20
    await connection.close()


ROWS = """
INSERT INTO webhook_deliveries (id, tenant_id, endpoint_id, event_id, type, at, data, status,
    due_at)
SELECT gen_random_uuid(), $1, $2, gen_random_uuid(), 'notification.failed', now(), '{}', $3,
    now() + $4::interval
FROM generate_series(1, $5::integer)
"""


async def _stepped(world, endpoint):
    await world.sender.step()
    return len(await world.deliveries(endpoint, "&status=delivered")) == 100


async def test_failing_endpoints_get_one_call_at_a_time(world):
    await world.register()
    await world.db.fetch("UPDATE webhook_endpoints SET failing_since = now()")
    world.receiver.slow = lambda _: True
    await world.happen(*["notification.failed"] * 5)
    await world.sender.step()
    await until(lambda: world.receiver.calls, what="the first call")
    await world.sender.step()
    assert len(world.sender._calls) == 1
    world.receiver.gate.set()
    await world.send()
    assert len(world.receiver.calls) == 5


async def test_a_call_that_nobody_recorded_is_repeated_under_the_same_id_and_counted(world):
    await world.register()
    await world.happen("notification.failed")
    before = metrics.WEBHOOK_REPEATED._value.get()
    lost = await webhook_deliveries.take(
        world.db, limit=9, in_flight={}, per_endpoint=8, lease=timedelta(seconds=45)
    )
    await world.send()
    assert world.receiver.calls == [], "the lease holds"
    await world.pass_time(45)
    await world.send()
    assert [call.id for call in world.receiver.calls] == [str(lost[0].id)]
    assert metrics.WEBHOOK_REPEATED._value.get() == before + 1
    late = webhook_deliveries.Called(
        id=lost[0].id,
        lease=lost[0].lease,
        status="failed",
        delay_s=None,
        response_status=None,
        error="late",
        call={},
    )
    assert await webhook_deliveries.finish(world.db, [late]) == frozenset()


async def test_two_senders_never_take_the_same(world):
    await world.register()
    await world.happen(*["notification.failed"] * 40)
    taken = await asyncio.gather(
        *(
            webhook_deliveries.take(
                world.db, limit=10, in_flight={}, per_endpoint=10, lease=timedelta(seconds=45)
            )
            for _ in range(4)
        )
    )
    ids = [due.id for part in taken for due in part]
    assert len(ids) == len(set(ids)) > 0


async def test_the_test_event_is_sent_whatever_the_filter(world):
    endpoint = await world.register(events=["notification.failed"])
    queued = await world.call("POST", f"/{endpoint['id']}/test", status=202)
    assert queued["event_type"] == "webhook.test"
    await world.send()
    (call,) = world.receiver.calls
    call.verify(endpoint["secret"])
    assert (call.id, call.json["type"]) == (queued["id"], "webhook.test")
    await world.call("PUT", f"/{endpoint['id']}", {"url": world.receiver.url, "is_active": False})
    answer = await world.client.post(f"{BASE}/{endpoint['id']}/test")
    assert (await problem_of(answer, 409))["code"] == "webhook_inactive"


@pytest.mark.parametrize(
    ("body", "places"),
    [
        ({}, ["/url"]),
        ({"url": 1}, ["/url"]),
        ({"url": "http://10.0.0.1/"}, ["/url"]),
        ({"url": "x"}, ["/url"]),
        ({"url": "http://user:p@127.0.0.1:9000/"}, ["/url"]),
        ({"url": "http://169.254.169.254/latest"}, ["/url"]),
        ({"url": "http://127.0.0.1:22/"}, ["/url"]),
        ({"url": "http://127.0.0.1:9000", "events": ["notification.sent"]}, ["/events/0"]),
        ({"url": "http://127.0.0.1:9000", "events": ["webhook.test"]}, ["/events/0"]),
        ({"url": "http://127.0.0.1:9000", "secret": "short"}, ["/secret"]),
        ({"url": "http://127.0.0.1:9000", "secret": "whsec_" + "!" * 20}, ["/secret"]),
        ({"url": "http://127.0.0.1:9000", "description": "d" * 1001}, ["/description"]),
        ({"url": "http://127.0.0.1:9000", "description": "\0"}, ["/description"]),
        (
            {"url": "http://127.0.0.1:9000", "is_active": "yes", "color": 1},
            ["/is_active", "/color"],
        ),
    ],
)
async def test_bad_endpoints_are_refused_with_a_pointer(world, body, places):
    endpoint = await world.register()
    for method, path in (("POST", BASE), ("PUT", f"{BASE}/{endpoint['id']}")):
        answer = await world.client.request(method, path, json=body)
        assert pointers(await problem_of(answer, 422)) == places


NOW = "2026-01-31T09:00:00Z"


@pytest.mark.parametrize(
    ("body", "places"),
    [
        ({}, ["/since"]),
        ({"until": NOW}, ["/since"]),
        ({"since": "yesterday"}, ["/since"]),
        ({"delivery_id": "x"}, ["/delivery_id"]),
        ({"since": NOW, "until": NOW}, ["/until"]),
        ({"since": NOW, "status": "pending"}, ["/status"]),
        ({"delivery_id": str(UUID(int=1)), "since": NOW, "status": "all"}, ["/since", "/status"]),
    ],
)
async def test_bad_redeliveries_are_refused_with_a_pointer(world, body, places):
    endpoint = await world.register()
    answer = await world.client.post(f"{BASE}/{endpoint['id']}/redeliver", json=body)
    assert pointers(await problem_of(answer, 422)) == places


@pytest.mark.parametrize(
    "query", ["status=done", "event_type=x", "page=2", "cursor=x", "page_size=101"]
)
async def test_bad_queries_are_refused(world, query):
    endpoint = await world.register()
    await problem_of(await world.client.get(f"{BASE}/{endpoint['id']}/deliveries?{query}"), 422)


async def test_another_tenant_sees_nothing(world):
    endpoint = await world.register()
    await world.happen("notification.failed")
    (delivery,) = await world.deliveries(endpoint)
    other, _ = await tenants.create(world.db, "other")
    for table in ("webhook_endpoints", "webhook_deliveries"):
        assert await world.db.of(other.id).fetch(f"SELECT * FROM {table}") == []
        assert len(await world.db.of(world.tenant_id).fetch(f"SELECT * FROM {table}")) == 1
    assert await webhooks.get(world.db, other.id, UUID(endpoint["id"])) is None
    assert not await webhooks.delete(world.db, other.id, UUID(endpoint["id"]))
    assert (
        await webhook_deliveries.get(world.db, other.id, UUID(endpoint["id"]), UUID(delivery["id"]))
        is None
    )
    assert not await webhook_deliveries.redeliver(
        world.db, other.id, UUID(endpoint["id"]), UUID(delivery["id"])
    )


async def test_an_erasure_takes_the_recipient_out_and_keeps_the_rest(world):
    endpoint = await world.register()
    world.receiver.answer = lambda _: (500, {}, "no such user u-1")
    await world.happen("notification.failed")
    await world.happen("notification.failed", recipient_id="u-2")
    await world.send()
    assert await webhooks.erase(world.db, world.tenant_id, "u-1") == 1
    assert await webhooks.erase(world.db, uuid4(), "u-2") == 0
    rows = await world.db.fetch("SELECT data, history FROM webhook_deliveries")
    left = {
        row["data"].get("recipient_id"): [call.get("response") for call in row["history"]]
        for row in rows
    }
    assert left == {None: [None], "u-2": ["no such user u-1"]}
    await world.pass_time(5)
    world.receiver.answer = lambda _: (204, {}, "")
    await world.send()
    assert {d["status"] for d in await world.deliveries(endpoint)} == {"delivered"}


async def test_the_gauges_say_what_waits(world):
    await world.register()
    await world.sender.measure()
    assert (metrics.WEBHOOK_WAITING._value.get(), metrics.WEBHOOK_OVERDUE._value.get()) == (0, 0)
    await world.happen("notification.failed", "notification.expired")
    await world.pass_time(60)
    await world.sender.measure()
    assert metrics.WEBHOOK_WAITING._value.get() == 2
    assert metrics.WEBHOOK_OVERDUE._value.get() >= 60
