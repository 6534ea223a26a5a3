"""The agent of the topic `events`: what is queued, in which statement, and when a record is
settled.
"""

import asyncio
from datetime import UTC, datetime
from types import SimpleNamespace
from uuid import uuid4

import orjson
import pytest

from notistream.agents import delivery, events
from notistream.db import webhook_deliveries
from notistream.delivery.dead_letter_limit import DeadLetterLimit
from notistream.delivery.lanes import Lane
from notistream.domain.notification import Priority
from notistream.domain.rate_limit import Rate
from notistream.errors import DatabaseUnavailable

TENANT = uuid4()


class App:
    """What the agent uses of the app; `fails` is what the database answers first."""

    def __init__(self):
        self.lane = Lane(
            name="in_app.low",
            limit=1,
            ledger=None,
            admitter=SimpleNamespace(on_change=lambda _: None),
            deliver=None,
            clock=asyncio.get_running_loop().time,
        )
        self.lanes = {("in_app", Priority.LOW): self.lane}
        self.settled, self.released, self.buried = [], [], []
        self.woken = 0
        self.runtime = SimpleNamespace(
            database=None,
            dead_letter_limits={"in_app": DeadLetterLimit(Rate(0, 1))},
            relay=SimpleNamespace(publish=lambda _: None),
            webhook_sender=SimpleNamespace(wake=self.wake),
        )

    def wake(self):
        self.woken += 1

    async def admits(self, event, lane):
        if not lane.is_open:
            self.released.append(event.message.offset)
        return lane.is_open

    def track(self, event):
        return lambda: self.settled.append(event.message.offset)


@pytest.fixture(autouse=True)
def tables(monkeypatch):
    """Stands for PostgreSQL: who listens, what was queued, how often it is away."""
    state = SimpleNamespace(listening=frozenset({TENANT}), statements=[], asked=0, away=0)

    async def listening(_db, tenants):
        state.asked += 1
        if state.away:
            state.away -= 1
            raise DatabaseUnavailable
        return state.listening & frozenset(tenants)

    async def enqueue(_db, lines):
        state.statements.append([orjson.loads(line)["id"] for line in lines])
        return len(lines)

    monkeypatch.setattr(webhook_deliveries, "listening", listening)
    monkeypatch.setattr(webhook_deliveries, "enqueue", enqueue)
    monkeypatch.setattr("notistream.delivery.lanes.DATABASE_RETRY_S", 0.01)
    return state


def record(offset, *types, tenant=TENANT, **data):
    told = [
        {"id": str(uuid4()), "type": kind, "at": datetime.now(UTC), "data": data} for kind in types
    ]
    return as_event(offset, orjson.dumps({"v": 1, "tenant_id": tenant, "events": told}))


def as_event(offset, value):
    return SimpleNamespace(
        message=SimpleNamespace(
            topic="t.events",
            partition=0,
            offset=offset,
            timestamp=1.0,
            key=None,
            value=value,
            headers=(),
        )
    )


async def until(condition):
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.01)


async def test_records_that_come_together_share_statements_and_wake_the_sender(tables):
    app = App()
    queue = events.WebhookQueue(app).record_store()
    for offset in range(50):
        await queue.receive(record(offset, "notification.failed", "notification.processing"))
    await until(lambda: len(app.settled) == 50)
    assert sum(map(len, tables.statements)) == 50
    assert len(tables.statements) <= 3
    assert app.woken == len(tables.statements)


async def test_a_tenant_without_endpoints_costs_one_small_question(tables):
    app = App()
    queue = events.WebhookQueue(app).record_store()
    for offset in range(50):
        await queue.receive(record(offset, "notification.failed", tenant=uuid4()))
    await until(lambda: len(app.settled) == 50)
    assert (tables.statements, app.woken) == ([], 0)
    assert tables.asked <= 3


@pytest.mark.parametrize(
    "headers", [{"webhooks": b"none"}, [("traceparent", b"00"), ("webhooks", b"none")]]
)
async def test_a_record_that_says_that_nobody_listens_is_settled_unread(tables, headers):
    app, event = App(), as_event(3, b"not read")
    event.message.headers = headers
    await events.WebhookQueue(app).record_store().receive(event)
    assert (app.settled, tables.asked) == ([3], 0)


async def test_what_no_endpoint_can_want_asks_nothing(tables):
    app = App()
    await (
        events.WebhookQueue(app)
        .record_store()
        .receive(record(1, "notification.processing", "notification.retrying"))
    )
    assert (app.settled, tables.asked) == ([1], 0)


async def test_a_record_is_settled_once_it_is_stored_however_long_that_takes(tables):
    app, tables.away = App(), 3
    await events.WebhookQueue(app).record_store().receive(record(1, "notification.failed"))
    await until(lambda: app.settled == [1])
    assert tables.asked == 4


async def test_a_release_settles_nothing(tables):
    app, tables.away = App(), 10**6
    queue = events.WebhookQueue(app).record_store()
    await queue.receive(record(1, "notification.failed"))
    await until(lambda: tables.asked > 1)
    app.lane.release()
    await until(lambda: not queue._tasks)
    await queue.receive(record(2, "notification.failed"))
    assert (app.settled, app.released) == ([], [2])


HUGE = record(7, "notification.failed", n=1).message.value.replace(b'"n":1', b'"n":1' + b"0" * 400)


@pytest.mark.parametrize("value", [None, b"", b"\xff", b"null", b'{"v":1}', HUGE])
async def test_what_cannot_be_read_or_stored_is_buried_then_settled(tables, monkeypatch, value):
    app = App()

    async def store_record(_db, buried):
        app.buried.append((buried.channel, buried.topic, buried.value))
        return []

    monkeypatch.setattr(delivery.dead_letters, "store_record", store_record)
    await events.WebhookQueue(app).record_store().receive(as_event(7, value))
    assert (app.buried, app.settled, tables.asked) == ([("in_app", "t.events", value)], [7], 0)
