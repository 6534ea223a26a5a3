"""Resolving what nobody knows, sending again what has ended: each race on a real database, in both
orders.
"""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from notistream.db import deliveries, notifications, operations, tenants
from notistream.domain.notification import OnUnknown
from notistream.errors import NotFound, NotResendable, NotResolvable
from notistream.observability import metrics
from notistream.sending.changes import Resolution, Schedule
from tests.integration.hand import HELD, HOUR, TERMINAL, WAITING, acting
from tests.integration.test_protocol import DELIVERED

pytestmark = pytest.mark.integration


@pytest.fixture
async def hand(database_url):
    async with acting(database_url) as found:
        yield found


# Resolve


@pytest.mark.parametrize("outcome", list(Resolution))
@pytest.mark.parametrize("resolve_first", [True, False])
async def test_resolve_against_a_late_success(hand, outcome, resolve_first):
    notification_id = await hand.create(on_unknown=OnUnknown.HOLD)
    claimed = await hand.claim(notification_id)
    await hand.finish(claimed, HELD)
    if not resolve_first:
        assert (await deliveries.finish_late(hand.db, claimed, DELIVERED)).ids
        with pytest.raises(NotResolvable):
            await hand.operations.resolve(hand.tenant_id, notification_id, outcome)
        assert (await hand.status(notification_id)).status == "delivered"
        assert await hand.totals() == (1, 0)
        return
    resolved = await hand.operations.resolve(hand.tenant_id, notification_id, outcome)
    accepted = bool((await deliveries.finish_late(hand.db, claimed, DELIVERED)).ids)
    found = await hand.status(notification_id)
    # Queued again but not yet claimed: the late success is believed, and nobody claims it any more.
    assert accepted is (outcome is Resolution.RESEND)
    assert found.status == ("failed" if outcome is Resolution.FAILED else "delivered")
    assert await hand.totals() == ((0, 1) if outcome is Resolution.FAILED else (1, 0))
    assert await hand.claim(notification_id, seq=resolved.seq) is None
    (attempt,) = await notifications.attempts(hand.db, notification_id)
    assert attempt.late_outcome == "delivered"


async def test_a_late_success_is_refused_once_the_resend_is_claimed(hand):
    notification_id = await hand.create(on_unknown=OnUnknown.HOLD)
    stale = await hand.claim(notification_id)
    await hand.finish(stale, HELD)
    before = metrics.DUPLICATES._value.get()
    resolved = await hand.operations.resolve(hand.tenant_id, notification_id, Resolution.RESEND)
    assert (resolved.status, resolved.seq, resolved.chain) == ("pending", 2, 1)
    assert [e.topic for e in hand.published] == ["sms.high"]
    assert metrics.DUPLICATES._value.get() == before + 1
    fresh = await hand.claim(notification_id, seq=2)
    assert (fresh.attempts, fresh.provider_key) == (2, stale.provider_key)
    assert not (await deliveries.finish_late(hand.db, stale, DELIVERED)).ids
    assert await hand.finish(fresh, DELIVERED)


async def test_two_who_resolve_one_wins(hand):
    notification_id = await hand.in_status("unknown")
    answers = await asyncio.gather(
        *(
            hand.operations.resolve(hand.tenant_id, notification_id, outcome)
            for outcome in list(Resolution) * 2
        ),
        return_exceptions=True,
    )
    assert sum(not isinstance(a, NotResolvable) for a in answers) == 1
    assert len(await hand.log()) == 1


async def test_resolved_as_failed_is_a_dead_letter_with_its_history_and_its_record(hand):
    notification_id = await hand.in_status("unknown")
    await hand.use_cap(notification_id)
    resolved = await hand.operations.resolve(hand.tenant_id, notification_id, Resolution.FAILED)
    assert (resolved.status, resolved.failed_at is not None) == ("failed", True)
    (letter,) = await hand.db.fetch("SELECT * FROM dead_letters")
    assert (letter["notification_id"], letter["attempts"], letter["chain"]) == (
        notification_id,
        1,
        1,
    )
    assert [(a["number"], a["outcome"], a["provider"]) for a in letter["history"]] == [
        (1, "unknown", "p")
    ]
    entry, told = hand.published
    assert (entry.topic, told.topic) == ("sms.dlq", "events")
    assert str(letter["id"]).encode() in (entry.records[0].value or b"")
    assert await hand.cap_uses() == set()
    assert await hand.steps(notification_id) == [("resolve", "failed")]
    assert await hand.log() == [(str(hand.tenant_id), "notification.resolve", str(notification_id))]


async def test_resolved_as_delivered_was_sent_when_it_was_called(hand):
    notification_id = await hand.in_status("unknown")
    (row,) = await hand.db.fetch("SELECT claimed_at FROM notifications")
    resolved = await hand.operations.resolve(hand.tenant_id, notification_id, Resolution.DELIVERED)
    assert (resolved.status, resolved.sent_at, resolved.error_message) == (
        "delivered",
        row["claimed_at"],
        None,
    )
    assert [e.topic for e in hand.published] == ["events"]


@pytest.mark.parametrize("status", [*WAITING, "processing", *TERMINAL])
async def test_what_is_known_is_not_resolved(hand, status):
    notification_id = await hand.in_status(status)
    for outcome in Resolution:
        with pytest.raises(NotResolvable):
            await hand.operations.resolve(hand.tenant_id, notification_id, outcome)
    assert (await hand.status(notification_id)).status == status


# Resend


@pytest.mark.parametrize("status", TERMINAL)
async def test_resend_begins_a_new_chain(hand, status):
    notification_id = await hand.in_status(status)
    stored = await hand.operations.resend(hand.sender(), notification_id)
    assert (stored.status, stored.chain, stored.attempts) == ("pending", 2, 0)
    claimed = await hand.claim(notification_id, seq=stored.seq)
    assert claimed.provider_key == f"{notification_id}:2"
    assert await hand.finish(claimed, DELIVERED)
    assert await hand.log() == [(str(hand.tenant_id), "notification.resend", str(notification_id))]


@pytest.mark.parametrize("status", [*WAITING, "processing", "unknown"])
async def test_what_has_not_ended_is_not_sent_again(hand, status):
    notification_id = await hand.in_status(status)
    with pytest.raises(NotResendable):
        await hand.operations.resend(hand.sender(), notification_id)
    assert (await hand.status(notification_id)).chain == 1
    assert await hand.log() == []


@pytest.mark.parametrize("key", ["same", None])
async def test_resends_at_once_make_one_chain(hand, key):
    notification_id = await hand.in_status("failed")
    answers = await asyncio.gather(
        *(hand.operations.resend(hand.sender(key), notification_id) for _ in range(8)),
        return_exceptions=True,
    )
    good = [a for a in answers if not isinstance(a, NotResendable)]
    assert len(good) == (8 if key else 1)
    assert {a.chain for a in good} == {2}
    assert len(hand.published) == 1


async def test_a_key_sends_once_also_after_the_new_chain_has_ended(hand):
    notification_id = await hand.in_status("delivered")
    stored = await hand.operations.resend(hand.sender("k"), notification_id)
    await hand.finish(await hand.claim(notification_id, seq=stored.seq), DELIVERED)
    assert (await hand.operations.resend(hand.sender("k"), notification_id)).chain == 2
    assert (await hand.operations.resend(hand.sender("other"), notification_id)).chain == 3


async def test_an_expiry_that_has_passed_does_not_stop_a_resend(hand):
    soon = datetime.now(UTC) + timedelta(milliseconds=1)
    notification_id = await hand.in_status("expired", expires_at=soon)
    await asyncio.sleep(0.01)
    assert (await hand.operations.resend(hand.sender(), notification_id)).expires_at is None
    later = await hand.in_status("failed", expires_at=datetime.now(UTC) + HOUR)
    assert (await hand.operations.resend(hand.sender(), later)).expires_at is not None


async def test_another_tenants_notification_is_not_there(hand):
    other, _ = await tenants.create(hand.db, "other")
    held, ended, waiting = [await hand.in_status(s) for s in ("unknown", "failed", "pending")]
    for call in (
        hand.operations.resolve(other.id, held, Resolution.RESEND),
        hand.operations.resend(hand.sender(tenant_id=other.id), ended),
        hand.operations.reschedule(other.id, waiting, Schedule(at=None)),
    ):
        with pytest.raises(NotFound):
            await call
    assert await operations.cancel(hand.db, other.id, [waiting], gate="recall", reason="r") == (
        0,
        [],
    )
    assert [(await hand.status(n)).status for n in (held, ended, waiting)] == [
        "unknown",
        "failed",
        "pending",
    ]
