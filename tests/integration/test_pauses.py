"""Pausing and resuming on a real database and with real workers.

And where a pending notification waits.
"""

from datetime import timedelta

import pytest

from notistream.db import deliveries, notifications, pauses
from notistream.db.pauses import Pause
from notistream.delivery.ports import Parking, Turn
from notistream.delivery.stages import STAGE_NAMES
from notistream.domain.notification import Priority
from notistream.errors import NotFound
from notistream.recording import trace
from tests.integration.hand import acting
from tests.receiver import receiver
from tests.stack import stack, until

pytestmark = pytest.mark.integration

ADMIN = {"X-Admin-Token": "test-admin-token-0123456789"}


@pytest.fixture
async def hand(database_url):
    async with acting(database_url) as found:
        yield found


# Pauses


async def test_pausing_twice_keeps_one_and_resuming_forgets_it(hand):
    assert await pauses.current(hand.db) == frozenset()
    for reason in ("first", "second"):
        await hand.pauses.pause(hand.pauses.named("sms", "webhook"), actor="cli", reason=reason)
    await hand.pauses.pause(hand.pauses.named("inapp", None), actor="admin", reason="")
    assert await pauses.current(hand.db) == {Pause("sms", "webhook"), Pause("in_app")}
    shown = [(str(p.pause), p.reason) for p in await hand.pauses.current()]
    assert shown == [("in_app", ""), ("sms/webhook", "second")]
    for _ in range(2):
        assert await hand.pauses.resume(Pause("sms", "webhook"), actor="cli") == 0
    assert await pauses.current(hand.db) == {Pause("in_app")}
    assert [entry[1:] for entry in await hand.log()] == [
        ("pause", "sms/webhook"),
        ("pause", "sms/webhook"),
        ("pause", "in_app"),
        ("resume", "sms/webhook"),
        ("resume", "sms/webhook"),
    ]


@pytest.mark.parametrize(
    ("channel", "provider", "known"),
    [
        ("fax", None, "sms, email"),
        ("sms", "twilio", "webhook, console"),
        ("email", "webhook", "console"),
    ],
)
async def test_unknown_names_are_told_the_known_ones(hand, channel, provider, known):
    with pytest.raises(NotFound, match=known):
        hand.pauses.named(channel, provider)


async def test_resuming_makes_due_what_the_channels_pauses_held_back(hand):
    held = {
        reason: await hand.create()
        for reason in ("paused: sms", "paused: sms/webhook", "paused: sms/console")
    }
    for reason, notification_id in held.items():
        await hand.park(notification_id, gate="pause", reason=reason)
    busy = await hand.in_status("deferred")
    foreign = await hand.create(channel="email", recipient="a@example.com", priority=Priority.HIGH)
    await hand.park(foreign, gate="pause", reason="paused: email")
    assert await deliveries.queue_due(hand.db, {("sms", "high"): 10}) == (0, [])
    await hand.pauses.pause(Pause("sms", "webhook"), actor="cli", reason="")
    assert await hand.pauses.resume(Pause("sms", "webhook"), actor="cli") == 3
    # At once, without the grace that the scheduler leaves to timers: none has these.
    assert (await deliveries.queue_due(hand.db, {("sms", "high"): 10, ("email", "high"): 10}))[
        0
    ] == 3
    for notification_id in held.values():
        assert (await hand.status(notification_id)).status == "pending"
        assert (await hand.steps(notification_id))[-1] == ("pause", "released")
    assert [(await hand.status(n)).status for n in (busy, foreign)] == ["deferred", "deferred"]


@pytest.mark.parametrize("resume_first", [True, False])
async def test_resume_against_a_worker_that_parks(hand, resume_first):
    notification_id = await hand.create()
    if resume_first:  # the worker had not noticed yet; when it does, it releases the channel
        assert await hand.pauses.resume(Pause("sms"), actor="cli") == 0
        await hand.park(notification_id, gate="pause", reason="paused: sms")
        assert await pauses.release(hand.db, "sms", limit=10) == 1
    else:
        await hand.park(notification_id, gate="pause", reason="paused: sms")
        assert await hand.pauses.resume(Pause("sms"), actor="cli") == 1
    assert (await deliveries.queue_due(hand.db, {("sms", "high"): 10}))[0] == 1
    assert await pauses.release(hand.db, "sms", limit=10) == 0


async def test_many_are_released_in_portions(hand, monkeypatch):
    from notistream.operating import pauses as service

    monkeypatch.setattr(service, "RELEASED_AT_ONCE", 4)
    new = [hand.new() for _ in range(10)]
    await notifications.create(hand.db, new, window=timedelta(days=7))
    await deliveries.park(
        hand.db, [Parking(Turn(n.id, 1), 3000.0, "pause", "paused: sms") for n in new]
    )
    assert await hand.pauses.resume(Pause("sms"), actor="cli") == 10


# The place in the queue


async def test_a_pending_one_says_where_it_waits(hand):
    first, second, third = [await hand.create() for _ in range(3)]
    await hand.db.fetch(
        "UPDATE outbox SET held = true WHERE $1 = ANY (ids) OR $2 = ANY (ids)", first, second
    )
    await hand.db.fetch("DELETE FROM outbox WHERE $1 = ANY (ids)", third)

    async def place(notification_id):
        queue = (await trace.timeline_of(hand.db, await hand.status(notification_id))).queue
        return queue and (queue.lane, queue.place, queue.ahead)

    assert await place(first) == ("sms.high", "held", 0)
    assert await place(second) == ("sms.high", "held", 1)
    assert await place(third) == ("sms.high", "kafka", 0)
    assert await place(await hand.create(priority=Priority.LOW)) == ("sms.low", "outbox", 0)
    assert await place(await hand.in_status("deferred")) is None


# With real processes


@pytest.fixture
async def running(endpoints, database_url, topics_prefix, tmp_path):
    """A receiver, an API and a way to start workers."""
    async with (
        receiver() as ledger,
        stack(
            database_url=database_url,
            brokers=endpoints.kafka_brokers,
            prefix=topics_prefix,
            folder=tmp_path,
            WEBHOOK_URL=ledger.url,
            PROVIDERS='{"sms": ["webhook", "console"]}',
        ) as product,
    ):
        await product.api()
        yield product, ledger


async def statuses(product, batch_id):
    _, page = await product.call("GET", f"/api/v1/notifications?page_size=100&batch_id={batch_id}")
    return [(row["status"], row["reason"], row["attempts"]) for row in page["data"]]


async def test_a_paused_channel_holds_back_and_goes_on_without_having_used_an_attempt(running):
    product, ledger = running
    status, _ = await product.call("PUT", "/internal/pauses/sms", {"reason": "test"}, headers=ADMIN)
    assert status == 200
    await product.worker()
    items = [{"channel": "sms", "recipient": f"+9050{n:08}", "content": str(n)} for n in range(40)]
    sms = await product.batch(items)
    other = await product.batch(
        [{"channel": "email", "recipient": "a@example.com", "content": "x"}] * 5
    )
    assert (await product.batch_ended(other))["delivered_count"] == 5

    async def parked():
        return await statuses(product, sms) == [("deferred", "paused: sms", 0)] * 40

    await until(parked, what="all to be held back")
    assert {call["channel"] for call in ledger.calls} == {"email"}
    _, shown = await product.call("DELETE", "/internal/pauses/sms", headers=ADMIN)
    assert shown["released"] == 40
    assert (await product.batch_ended(sms))["delivered_count"] == 40
    assert {attempts for _, _, attempts in await statuses(product, sms)} == {1}
    assert ledger.duplicates == 0


async def test_a_paused_provider_leaves_its_messages_to_the_next(running):
    product, ledger = running
    await product.run("pause", "sms", "webhook")
    await product.worker()
    shown = await product.ended(await product.create())
    assert (shown["status"], shown["provider"], ledger.calls) == ("delivered", "console", [])
    _, trace_shown = await product.call("GET", f"/api/v1/notifications/{shown['id']}/trace")
    assert [s["gate"] for s in trace_shown["steps"]] == ["accept", *STAGE_NAMES]
    calls = [(a["number"], a["provider"], a["outcome"]) for a in trace_shown["attempts"]]
    assert calls == [(1, "console", "delivered")]
    assert "attempt 1       delivered   console" in await product.run("trace", shown["id"])
    await product.run("resume", "sms", "webhook")

    async def goes_through_the_webhook():
        return (await product.ended(await product.create()))["provider"] == "webhook"

    await until(goes_through_the_webhook, what="the worker to notice")


async def test_none_is_left_behind_by_a_worker_that_had_not_noticed_the_end_of_a_pause(running):
    product, _ = running
    await product.worker()
    batches = []
    for _ in range(3):
        await product.call("PUT", "/internal/pauses/sms", headers=ADMIN)
        items = [
            {"channel": "sms", "recipient": f"+9050{n:08}", "content": str(n)} for n in range(200)
        ]
        batches.append(await product.batch(items))
        await product.call("DELETE", "/internal/pauses/sms", headers=ADMIN)
    for batch_id in batches:
        assert (await product.batch_ended(batch_id, patience_s=45.0))["delivered_count"] == 200
