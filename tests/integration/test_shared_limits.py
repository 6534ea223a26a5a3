"""Limits that workers share through PostgreSQL: provider tokens, frequency caps, held entries,
rooms of lanes.
"""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import uuid4

import pytest
from uuid_utils.compat import uuid7

from notistream.db import deliveries, notifications, outbox, tenants, tokens
from notistream.db.caps import CapLedger
from notistream.db.pool import Database
from notistream.delivery.ports import Turn
from notistream.domain.event import decode_events
from notistream.domain.notification import NewNotification, Priority
from notistream.domain.preference import FrequencyCap
from tests.unit.delivery_fakes import CLAIMED

pytestmark = pytest.mark.integration


@pytest.fixture
async def db(database_url):
    database = Database(database_url, size=8, name="test")
    yield database
    await database.close()


async def accept(db, tenant_id, count, **fields):
    """So many notifications; their ids."""
    new = [
        NewNotification(
            **{
                "id": uuid7(),
                "tenant_id": tenant_id,
                "channel": "sms",
                "priority": Priority.NORMAL,
                "recipient": f"+9050000{n:05}",
                "recipient_id": None,
                "content": "hi",
                **fields,
            }
        )
        for n in range(count)
    ]
    await notifications.create(db, new, window=timedelta(days=7))
    return [n.id for n in new]


@pytest.mark.parametrize(("rate", "per_slot"), [(100.0, 10), (7.0, 1), (1000.0, 100)])
async def test_however_many_ask_a_slot_never_gives_more_than_its_share(db, rate, per_slot):
    async def ask():
        for _ in range(20):
            await tokens.take(db, "sms/webhook", rate, 10_000, 2, 0.0)

    await asyncio.gather(*(ask() for _ in range(4)))
    await tokens.take(db, "sms/other", rate, 10_000, 2, 0.0)
    rows = await db.fetch("SELECT bucket, slot, used FROM token_slots")
    assert max(row["used"] for row in rows) <= per_slot
    assert {row["bucket"] for row in rows} == {"sms/webhook", "sms/other"}


async def test_tokens_of_this_slot_can_all_be_had_and_half_of_the_ones_behind_it(db):
    grants = await tokens.take(db, "b", 1000.0, 10_000, 2, 0.0)
    assert [grant.tokens for grant in grants] == [100, 50, 50]
    assert grants[0].begins_in_s == 0 < grants[0].ends_in_s <= 0.1 + 1e-6
    assert all(
        later.begins_in_s == pytest.approx(sooner.ends_in_s) for sooner, later in pairwise(grants)
    )
    later = await tokens.take(db, "c", 1000.0, 1, 0, 0.25)
    assert later[0].begins_in_s > 0.1


async def test_old_slots_are_forgotten(db):
    for _ in range(3):
        await tokens.take(db, "b", 100.0, 1, 0, 0.0)
        await asyncio.sleep(0.11)
    assert len(await db.fetch("SELECT 1 FROM token_slots")) <= 2


@pytest.mark.parametrize("count", [1, 3])
async def test_a_cap_lets_exactly_as_many_through_however_many_ask_at_once(db, count):
    caps, cap = CapLedger(db), FrequencyCap(count, 3600)
    asking = [replace(CLAIMED, id=uuid4(), recipient_id="u1") for _ in range(12)]
    found = await asyncio.gather(*(caps.take(claimed, cap) for claimed in asking))
    assert [use.allowed for use in found].count(True) == count
    again = [
        await caps.take(claimed, cap)
        for claimed, use in zip(asking, found, strict=True)
        if use.allowed
    ]
    assert all(use.allowed for use in again)  # a retry is not counted twice
    refused = next(use for use in found if not use.allowed)
    assert 3500 < (refused.free_at - datetime.now(UTC)).total_seconds() <= 3600
    other = await caps.take(replace(CLAIMED, id=uuid4(), recipient_id="u2"), cap)
    assert other.allowed


async def test_a_cap_has_room_again_when_the_oldest_use_leaves_the_window(db):
    caps, cap = CapLedger(db), FrequencyCap(2, 60)
    for seconds in (50, 61):
        claimed = replace(CLAIMED, id=uuid4(), recipient_id="u1")
        await caps.take(claimed, cap)
        await db.fetch(
            "UPDATE cap_uses SET at = now() - $1::interval WHERE notification_id = $2",
            timedelta(seconds=seconds),
            claimed.id,
        )
    asking = [replace(CLAIMED, id=uuid4(), recipient_id="u1") for _ in range(2)]
    found = [await caps.take(claimed, cap) for claimed in asking]
    assert [use.allowed for use in found] == [True, False]
    assert (
        found[1].free_at - datetime.now(UTC)
    ).total_seconds() <= 10  # when the one of 50 s ago has left


async def test_entries_are_small_and_held_ones_are_released_tenant_by_tenant(db):
    flood, _ = await tenants.create(db, "flood")
    small, _ = await tenants.create(db, "small")
    await accept(db, flood.id, 1000)
    await accept(db, small.id, 50)
    entries = await db.fetch(
        "SELECT id, tenant_id, cardinality(ids) AS records FROM outbox ORDER BY id"
    )
    assert [row["records"] for row in entries] == [100] * 10 + [50]
    await outbox.hold(db, [row["id"] for row in entries])
    await db.fetch("UPDATE outbox SET publish_after = now()")
    assert await outbox.take_leftovers(db, limit=100) == []
    assert await outbox.held_lanes(db) == {
        ("sms.normal", str(flood.id)),
        ("sms.normal", str(small.id)),
    }
    assert await outbox.release(db, {"sms.high": 1000}) == []
    first = await outbox.release(db, {"sms.normal": 101})
    assert {entry.tenant for entry in first} == {str(flood.id), str(small.id)}
    rest = [await outbox.release(db, {"sms.normal": 300}) for _ in range(4)]
    assert [len(released) for released in rest] == [3, 3, 3, 0]
    assert [entry.id for released in rest for entry in released] == [
        row["id"] for row in entries[1:10]
    ]


async def test_two_releasers_share_what_there_is(db):
    tenant, _ = await tenants.create(db, "default")
    await accept(db, tenant.id, 1000)
    await db.fetch("UPDATE outbox SET held = true")
    released = await asyncio.gather(*(outbox.release(db, {"sms.normal": 500}) for _ in range(4)))
    ids = [entry.id for entries in released for entry in entries]
    assert len(ids) == len(set(ids)) >= 5


async def test_the_scheduler_takes_what_each_lane_has_room_for(db):
    tenant, _ = await tenants.create(db, "default")
    soon = datetime.now(UTC) + timedelta(hours=1)
    await accept(db, tenant.id, 30, scheduled_at=soon)
    await accept(db, tenant.id, 30, scheduled_at=soon, priority=Priority.HIGH)
    await db.fetch("UPDATE notifications SET due_at = now()")
    rounds = [
        await deliveries.queue_due(db, {("sms", "normal"): 12, ("sms", "low"): 5}) for _ in range(3)
    ]
    assert [count for count, _ in rounds] == [12, 12, 6]
    assert {entry.topic for _, entries in rounds for entry in entries} == {"sms.normal"}
    both = await asyncio.gather(
        *(deliveries.queue_due(db, {("sms", "high"): 20}) for _ in range(3))
    )
    assert sum(count for count, _ in both) == 30


@pytest.mark.parametrize("by_timer", [True, False])
async def test_what_has_expired_is_not_queued_but_ended_with_a_reason(db, by_timer):
    tenant, _ = await tenants.create(db, "default")
    (gone,) = await accept(
        db,
        tenant.id,
        1,
        scheduled_at=datetime.now(UTC) + timedelta(hours=1),
        expires_at=datetime.now(UTC) + timedelta(hours=2),
    )
    await db.fetch("UPDATE notifications SET due_at = now(), expires_at = now()")
    if by_timer:
        entries = (await deliveries.queue(db, [Turn(gone, 1)])).entries
    else:
        count, entries = await deliveries.queue_due(db, {("sms", "normal"): 5})
        assert count == 1
    (told,) = entries
    (event,) = decode_events(told.records[0].value).events
    assert (told.topic, event.type) == ("events", "notification.expired")
    found = await notifications.get(db, tenant.id, gone)
    assert (found.status, found.due_at) == ("expired", None)
    assert found.reason.startswith("expired at ")
    (step,) = await db.fetch("SELECT gate, verdict FROM trace_steps")
    assert tuple(step) == ("expiry", "expired")
