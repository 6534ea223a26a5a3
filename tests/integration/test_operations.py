"""Recall, cancel and reschedule what waits: each race on a real database, in both orders."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from uuid_utils.compat import uuid7

from notistream.db import batches, deliveries, notifications, tenants
from notistream.db.operations import Selection
from notistream.delivery.ports import Turn
from notistream.errors import InvalidRequest, NotFound, NotReschedulable
from notistream.sending import changes as use_cases
from notistream.sending.changes import Recalled, Schedule
from tests.integration.hand import HOUR, TERMINAL, WAITING, acting

pytestmark = pytest.mark.integration


@pytest.fixture
async def hand(database_url):
    async with acting(database_url) as found:
        yield found


# Recall and cancel


@pytest.mark.parametrize("recall_first", [True, False])
async def test_recall_against_claim(hand, recall_first):
    notification_id = await hand.create(category="news")
    if recall_first:
        assert await hand.operations.recall(hand.tenant_id, Selection(category="news")) == Recalled(
            1, 0
        )
        assert await hand.claim(notification_id) is None
        assert (await hand.status(notification_id)).status == "cancelled"
    else:
        assert await hand.claim(notification_id)
        assert await hand.operations.recall(hand.tenant_id, Selection(category="news")) == Recalled(
            0, 1
        )
        assert (await hand.status(notification_id)).status == "processing"


async def test_recall_beside_claims_neither_loses_nor_counts_twice(hand, monkeypatch):
    monkeypatch.setattr(use_cases, "LOOKED_AT_AT_ONCE", 30)
    monkeypatch.setattr(use_cases, "CANCELLED_AT_ONCE", 7)
    new = [hand.new(category="news") for _ in range(200)]
    await notifications.create(hand.db, new, window=timedelta(days=7))

    async def claim_some():
        claimed = 0
        for at in range(0, 200, 20):
            found = await deliveries.claim(
                hand.db,
                [Turn(n.id, 1) for n in new[at : at + 20]],
                owner=0,
                lease=HOUR,
                call_before=1e12,
            )
            claimed += len(found)
        return claimed

    recalled, claimed = await asyncio.gather(
        hand.operations.recall(hand.tenant_id, Selection(category="news")), claim_some()
    )
    assert recalled.recalled + claimed == 200
    assert recalled.too_late <= claimed
    rows = await hand.db.fetch("SELECT status, count(*) FROM notifications GROUP BY status")
    assert {r[0]: r[1] for r in rows if r[1]}.get("cancelled", 0) == recalled.recalled


async def test_recall_takes_every_waiting_status_and_only_what_matches(hand):
    mine = {
        status: await hand.in_status(status, category="news", template_name="welcome")
        for status in WAITING
    }
    late = [
        await hand.in_status(status, category="news")
        for status in ("processing", "unknown", "delivered")
    ]
    ended = [
        await hand.in_status(status, category="news")
        for status in ("failed", "suppressed", "cancelled")
    ]
    other, _ = await tenants.create(hand.db, "other")
    for fields in (
        {"category": "bills"},
        {"category": "news", "tenant_id": other.id},
        {"category": "news", "channel": "push", "recipient": "t"},
    ):
        await hand.create(**fields)
    assert await hand.operations.recall(
        hand.tenant_id, Selection(category="news", channel="sms")
    ) == Recalled(4, 3)
    for notification_id in mine.values():
        found = await hand.status(notification_id)
        assert (found.status, found.reason, found.due_at) == (
            "cancelled",
            "recalled by the sender",
            None,
        )
        assert (await hand.steps(notification_id))[-1] == ("recall", "cancelled")
    statuses = [(await hand.status(n)).status for n in (*late, *ended)]
    assert statuses == ["processing", "unknown", "delivered", "failed", "suppressed", "cancelled"]
    rest = await hand.db.fetch("SELECT count(*) FROM notifications WHERE status = 'pending'")
    assert rest[0][0] == 3
    assert await hand.log() == [
        (str(hand.tenant_id), "notifications.recall", "category=news channel=sms")
    ]


@pytest.mark.parametrize("by", ["name", "id"])
async def test_recall_by_template(hand, by):
    template_id = uuid7()
    await hand.create(template_name="welcome", template_id=template_id, template_version=1)
    await hand.create(template_name="bye")
    meant = Selection(template="welcome" if by == "name" else str(template_id))
    assert await hand.operations.recall(hand.tenant_id, meant) == Recalled(1, 0)


@pytest.mark.parametrize("size", [1, 3, 10, 100])
async def test_recall_in_pages_of_any_size_finds_all(hand, monkeypatch, size):
    monkeypatch.setattr(use_cases, "LOOKED_AT_AT_ONCE", size)
    monkeypatch.setattr(use_cases, "CANCELLED_AT_ONCE", 2)
    new = [hand.new(category="news" if n % 3 else "bills") for n in range(30)]
    await notifications.create(hand.db, new, window=timedelta(days=7))
    assert await hand.operations.recall(hand.tenant_id, Selection(category="news")) == Recalled(
        20, 0
    )
    assert await hand.operations.recall(hand.tenant_id, Selection(category="news")) == Recalled(
        0, 0
    )


async def test_cancelling_a_batch_leaves_what_has_begun(hand):
    batch_id = uuid7()
    await batches.create(hand.db, batch_id, hand.tenant_id, total=6, rejected=0)
    for status in (*WAITING, "processing", "delivered"):
        await hand.in_status(status, batch_id=batch_id)
    await hand.create()
    batch = await hand.operations.cancel_batch(hand.tenant_id, batch_id)
    assert batch.statuses == {"cancelled": 4, "processing": 1, "delivered": 1}
    assert (await hand.operations.cancel_batch(hand.tenant_id, batch_id)).statuses == batch.statuses
    assert await hand.log() == [(str(hand.tenant_id), "notifications.cancel", f"batch={batch_id}")]
    other, _ = await tenants.create(hand.db, "other")
    for tenant_id, wanted in ((other.id, batch_id), (hand.tenant_id, uuid7())):
        with pytest.raises(NotFound):
            await hand.operations.cancel_batch(tenant_id, wanted)


async def test_what_is_cancelled_does_not_use_up_a_cap(hand):
    one, two, three, kept = [
        await hand.create(category="news" if n == 1 else None) for n in range(4)
    ]
    for notification_id in (one, two, three, kept):
        await hand.use_cap(notification_id)
    await notifications.cancel(hand.db, hand.tenant_id, one)
    await hand.operations.recall(hand.tenant_id, Selection(category="news"))
    await hand.operations.reschedule(hand.tenant_id, three, Schedule(at=datetime.now(UTC) + HOUR))
    assert await hand.cap_uses() == {kept}


# Reschedule


@pytest.mark.parametrize("reschedule_first", [True, False])
async def test_reschedule_against_claim(hand, reschedule_first):
    notification_id = await hand.create()
    at = datetime.now(UTC) + HOUR
    if reschedule_first:
        moved = await hand.operations.reschedule(hand.tenant_id, notification_id, Schedule(at=at))
        assert (moved.status, moved.seq, moved.due_at, moved.scheduled_at) == (
            "scheduled",
            2,
            at,
            at,
        )
        assert await hand.claim(notification_id, seq=1) is None
    else:
        assert await hand.claim(notification_id)
        with pytest.raises(NotReschedulable):
            await hand.operations.reschedule(hand.tenant_id, notification_id, Schedule(at=at))
        assert (await hand.status(notification_id)).status == "processing"


@pytest.mark.parametrize("reschedule_first", [True, False])
async def test_reschedule_against_the_timer_of_a_retry(hand, reschedule_first):
    notification_id = await hand.in_status("retrying")
    timer = [Turn(notification_id, 1)]
    if reschedule_first:
        await hand.operations.reschedule(
            hand.tenant_id, notification_id, Schedule(at=datetime.now(UTC) + HOUR)
        )
        queued = await deliveries.queue(hand.db, timer)
        assert (queued.entries, queued.early) == ([], {})
        assert (await hand.status(notification_id)).status == "scheduled"
    else:
        assert (await deliveries.queue(hand.db, timer)).entries
        moved = await hand.operations.reschedule(
            hand.tenant_id, notification_id, Schedule(at=datetime.now(UTC) + HOUR)
        )
        assert (moved.status, moved.seq) == ("scheduled", 3)
        assert await hand.claim(notification_id, seq=2) is None


@pytest.mark.parametrize("status", WAITING)
async def test_rescheduled_to_now_is_taken_by_the_scheduler_at_once(hand, status):
    notification_id = await hand.in_status(status)
    await hand.operations.reschedule(hand.tenant_id, notification_id, Schedule(at=None))
    count, entries = await deliveries.queue_due(hand.db, {("sms", "high"): 10})
    assert (count, [e.topic for e in entries]) == (1, ["sms.high"])
    found = await hand.status(notification_id)
    assert await hand.claim(notification_id, seq=found.seq)
    assert ("reschedule", "scheduled") in await hand.steps(notification_id)
    assert await hand.log() == [
        (str(hand.tenant_id), "notification.reschedule", str(notification_id))
    ]


@pytest.mark.parametrize("status", ["processing", "unknown", *TERMINAL])
async def test_what_does_not_wait_is_not_rescheduled(hand, status):
    notification_id = await hand.in_status(status)
    with pytest.raises(NotReschedulable):
        await hand.operations.reschedule(hand.tenant_id, notification_id, Schedule(at=None))
    assert (await hand.status(notification_id)).status == status
    assert await hand.log() == []


async def test_rescheduling_minds_the_expiry(hand):
    now = datetime.now(UTC)
    notification_id = await hand.create(expires_at=now + HOUR)

    async def move(**wanted):
        return await hand.operations.reschedule(hand.tenant_id, notification_id, Schedule(**wanted))

    for wanted, pointer in (
        ({"at": now + 2 * HOUR}, "/scheduled_at"),
        ({"at": now + 2 * HOUR, "expires_at": now + HOUR, "keeps_expiry": False}, "/expires_at"),
        ({"at": None, "expires_at": now - HOUR, "keeps_expiry": False}, "/expires_at"),
    ):
        with pytest.raises(InvalidRequest) as refused:
            await move(**wanted)
        assert [e.pointer for e in refused.value.errors] == [pointer]
    assert (await hand.status(notification_id)).seq == 1
    assert (await move(at=now + HOUR / 2)).expires_at == now + HOUR
    later = await move(at=now + 2 * HOUR, expires_at=now + 3 * HOUR, keeps_expiry=False)
    assert (later.due_at, later.expires_at) == (now + 2 * HOUR, now + 3 * HOUR)
    assert (await move(at=None, expires_at=None, keeps_expiry=False)).expires_at is None
