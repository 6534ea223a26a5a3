"""Which steps of the protocol tell the topic `events` of a status, and that each tells it once, in
its transaction.
"""

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest
from uuid_utils.compat import uuid7

from notistream.db import deliveries, notifications, operations, tenants, webhooks
from notistream.db.deliveries import Finishing
from notistream.db.operations import Selection
from notistream.db.webhooks import Wanted
from notistream.delivery.ports import Turn
from notistream.domain.event import decode_events
from notistream.kafka.topic_names import NO_WEBHOOKS
from notistream.sending.changes import Resolution
from tests.integration.hand import EXPIRED, FAILED, HELD, HOUR, SUPPRESSED, acting
from tests.integration.test_protocol import DELIVERED, RETRY_NOW, due, upkeep_of

pytestmark = pytest.mark.integration


@pytest.fixture
async def hand(database_url):
    async with acting(database_url) as somebody:
        yield somebody


def told(entries):
    """Tenant, then the events, of every record for the topic."""
    records = [decode_events(r.value) for e in entries if e.topic == "events" for r in e.records]
    return [(record.tenant_id, record.events) for record in records]


def statuses(entries):
    return [
        (str(e.data["notification_id"]), e.data["status"])
        for _, events in told(entries)
        for e in events
    ]


async def claimed(hand, **fields):
    return await hand.claim(await hand.create(**fields))


@pytest.mark.parametrize(
    "end",
    [
        DELIVERED,
        FAILED,
        SUPPRESSED,
        EXPIRED,
        RETRY_NOW,
        HELD,
        dataclasses.replace(RETRY_NOW, status=type(RETRY_NOW.status).DEFERRED),
    ],
    ids=lambda e: e.status.value,
)
async def test_finish_tells_where_a_delivery_ended(hand, end) -> None:
    one = await claimed(hand, recipient_id="u-1")
    changed = await deliveries.finish(hand.db, [Finishing(one.id, one.lease_token, end)])
    ((tenant, (event,)),) = told(changed.entries)
    assert tenant == hand.tenant_id
    assert event.type == f"notification.{end.status.value}"
    assert event.data["recipient_id"] == "u-1"
    assert event.data["attempts"] == (0 if end.outcome.value == "not_called" else 1)
    assert (event.data["notification_id"], event.data["channel"]) == (str(one.id), "sms")
    stale = await deliveries.finish(hand.db, [Finishing(one.id, one.lease_token, end)])
    assert stale.entries == []


async def test_a_statement_leaves_one_record_per_tenant_and_five_hundred_events(hand) -> None:
    other, _ = await tenants.create(hand.db, "other")
    new = [hand.new() for _ in range(501)] + [hand.new(tenant_id=other.id) for _ in range(2)]
    await notifications.create(hand.db, new, window=timedelta(days=1))
    found = await deliveries.claim(
        hand.db,
        [Turn(n.id, 1) for n in new],
        owner=0,
        lease=timedelta(seconds=30),
        call_before=1e12,
    )
    changed = await deliveries.finish(
        hand.db, [Finishing(c.id, c.lease_token, DELIVERED) for c in found.values()]
    )
    sizes = sorted((tenant == other.id, len(events)) for tenant, events in told(changed.entries))
    assert sizes == [(False, 1), (False, 500), (True, 2)]
    stored = await hand.db.fetch("SELECT id, ids FROM outbox WHERE topic = 'events'")
    assert {row["id"] for row in stored} == {e.id for e in changed.entries if e.topic == "events"}
    assert all(row["ids"] == [] for row in stored)


async def test_what_expires_in_the_queue_is_told(hand) -> None:
    soon = datetime.now(UTC) + HOUR
    for queue in (lambda i: deliveries.queue(hand.db, [Turn(i, 1)]), lambda _: due(hand)):
        lapsed, waits = [await hand.create(scheduled_at=soon, expires_at=soon) for _ in range(2)]
        await hand.db.fetch(
            "UPDATE notifications SET due_at = now() - interval '1 minute', expires_at = now()"
            " WHERE id = $1",
            lapsed,
        )
        queued = await queue(lapsed)
        assert statuses(queued.entries if hasattr(queued, "entries") else queued[1]) == [
            (str(lapsed), "expired")
        ]
        assert (await hand.status(waits)).status == "scheduled"


async def test_every_way_to_cancel_is_told(hand) -> None:
    one, two, three = [await hand.create(category="c") for _ in range(3)]
    _, entries = await notifications.cancel(hand.db, hand.tenant_id, one)
    assert statuses(entries) == [(str(one), "cancelled")]
    count, entries = await operations.cancel(
        hand.db, hand.tenant_id, [one, two], gate="recall", reason="r"
    )
    assert (count, statuses(entries)) == (1, [(str(two), "cancelled")])
    await hand.operations.recall(hand.tenant_id, Selection(category="c"))
    assert statuses(hand.published) == [(str(three), "cancelled")]


async def test_resolutions_are_told(hand) -> None:
    ids = {outcome: await hand.in_status("unknown") for outcome in Resolution}
    for outcome, notification_id in ids.items():
        await hand.operations.resolve(hand.tenant_id, notification_id, outcome)
    assert statuses(hand.published) == [
        (str(ids[Resolution.DELIVERED]), "delivered"),
        (str(ids[Resolution.FAILED]), "failed"),
    ]


async def test_a_late_success_and_an_ended_lease_are_told(hand) -> None:
    one = await hand.claim(await hand.create(), lease=timedelta(0))
    upkeep, published = upkeep_of(hand), []
    upkeep._publish = published.extend
    await upkeep.end_leases()
    assert statuses(published) == [(str(one.id), "retrying")]
    late = await deliveries.finish_late(hand.db, one, DELIVERED)
    assert statuses(late.entries) == [(str(one.id), "delivered")]
    assert statuses((await deliveries.finish_late(hand.db, one, DELIVERED)).entries) == []


async def test_parking_and_waking_up_are_internal(hand) -> None:
    one = await hand.create()
    await hand.park(one)
    assert await hand.db.fetch("SELECT FROM outbox WHERE topic = 'events'") == []


async def test_of_an_in_app_message_the_address_is_the_recipient(hand) -> None:
    one = await claimed(hand, channel="in_app", recipient="u-7")
    changed = await deliveries.finish(hand.db, [Finishing(one.id, one.lease_token, DELIVERED)])
    assert told(changed.entries)[0][1][0].data["recipient_id"] == "u-7"
    sms = await claimed(hand)
    changed = await deliveries.finish(hand.db, [Finishing(sms.id, sms.lease_token, DELIVERED)])
    assert "+90" not in str(changed.entries[-1].records)


async def test_a_tenants_request_tells_of_its_own_only(hand) -> None:
    rows = await hand.db.of(hand.tenant_id).fetch(
        "SELECT messages FROM tell($1, $2)", [hand.tenant_id, uuid7()], [{"a": 1}, {"b": 2}]
    )
    assert [row["messages"][0][0] for row in rows] == [str(hand.tenant_id)]


async def test_a_record_says_when_no_endpoint_is_active(hand) -> None:
    wanted = Wanted(url="https://hooks.example/", description=None, events=(), is_active=True)
    assert await webhooks.create(
        hand.db, hand.tenant_id, uuid7(), wanted, secret="whsec_c2VjcmV0", most=1
    )
    assert await headers_told(hand) == [()]
    await hand.db.fetch("UPDATE webhook_endpoints SET is_active = false")
    assert await headers_told(hand) == [(NO_WEBHOOKS,)]


async def headers_told(hand):
    one = await claimed(hand)
    changed = await deliveries.finish(hand.db, [Finishing(one.id, one.lease_token, DELIVERED)])
    return [r.headers for e in changed.entries if e.topic == "events" for r in e.records]
