"""The delivery protocol on a real database: each race, in both orders of its contenders."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from uuid_utils.compat import uuid7

from notistream.db import (
    dead_letters,
    deliveries,
    gauges,
    migrate,
    notifications,
    operations,
    outbox,
    tenants,
)
from notistream.db.deliveries import Finishing
from notistream.db.pool import Database
from notistream.delivery.ports import Parking, Turn
from notistream.domain.draft import Draft
from notistream.domain.notification import CHANNELS, NewNotification, OnUnknown, Priority, Status
from notistream.domain.outcome import AttemptOutcome, Finish
from notistream.kafka import topics
from notistream.kafka.connection import Kafka
from notistream.kafka.dead_letter import BadRecord
from notistream.kafka.outbox import OutboxEntry, Record
from notistream.kafka.positions import Positions
from notistream.kafka.topic_names import LANES
from notistream.observability import metrics
from notistream.publishing.relay import Relay
from notistream.publishing.windows import Windows
from notistream.recording.upkeep import Upkeep
from notistream.sending.acceptance import Caller, DuplicateKey
from notistream.sending.notifications import Notifications
from notistream.sending.template_choice import TemplateChoice
from notistream.settings.model import Settings
from tests.stack import until

pytestmark = pytest.mark.integration

DELIVERED = Finish(
    status=Status.DELIVERED,
    outcome=AttemptOutcome.DELIVERED,
    provider="p",
    provider_message_id="m1",
)
RETRY_NOW = Finish(
    status=Status.RETRYING,
    reason="HTTP 503",
    delay_s=0.0,
    outcome=AttemptOutcome.TEMPORARY,
    error="HTTP 503",
)
LEASE = timedelta(seconds=30)
ROOMS = {(channel, priority.value): 10 for channel, priority in LANES}


class World:
    """One tenant and shortcuts for the steps of the protocol."""

    def __init__(self, db, tenant_id):
        self.db = db
        self.tenant_id = tenant_id

    def new(self, **fields):
        defaults = {
            "id": uuid7(),
            "tenant_id": self.tenant_id,
            "channel": "sms",
            "priority": Priority.HIGH,
            "recipient": "+905000000001",
            "recipient_id": None,
            "content": "hi",
        }
        return NewNotification(**{**defaults, **fields})

    async def create(self, **fields):
        new = self.new(**fields)
        await notifications.create(self.db, [new], window=timedelta(days=7))
        return new.id

    async def claim(self, notification_id, seq=1, lease=LEASE, owner=0):
        found = await deliveries.claim(
            self.db, [Turn(notification_id, seq)], owner=owner, lease=lease, call_before=1e12
        )
        return found.get(notification_id)

    async def finish(self, claimed, end):
        changed = await deliveries.finish(
            self.db, [Finishing(claimed.id, claimed.lease_token, end)]
        )
        return claimed.id in changed.ids

    async def status(self, notification_id):
        return await notifications.get(self.db, self.tenant_id, notification_id)


def upkeep_of(world):
    return Upkeep(
        world.db,
        publish=lambda _: None,
        takes_leftovers=lambda: True,
        rooms=lambda: ROOMS,
        jitter=lambda: 0.0,
    )


async def due(world, rooms=None):
    """One round of the scheduler."""
    return await deliveries.queue_due(world.db, ROOMS if rooms is None else rooms)


def unlimited(world, endpoints, prefix):
    """Windows of the lanes."""
    positions = Positions(kafka=Kafka(endpoints.kafka_brokers), prefix=prefix, group=prefix)
    return Windows(positions, world.db, channel_rate=0)


@pytest.fixture
async def world(database_url):
    db = Database(database_url, size=6, name="test")
    tenant, _ = await tenants.create(db, "default")
    yield World(db, tenant.id)
    await db.close()


async def test_migrations_up_down_up_leave_the_same_schema(database_url):
    import asyncpg

    async def shape():
        connection = await asyncpg.connect(database_url)
        try:
            return await connection.fetch(
                "SELECT table_name, column_name, data_type, is_nullable, column_default FROM"
                " information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 2"
            ), await connection.fetch(
                "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1"
            )
        finally:
            await connection.close()

    before = await shape()
    await migrate.down(database_url, steps=99)
    assert len((await shape())[0]) == 4  # the ledger of migrations alone
    done = await asyncio.gather(migrate.up(database_url), migrate.up(database_url))
    assert sorted(map(len, done)) == [0, len(migrate.known())]
    assert await shape() == before


async def test_create_leaves_one_outbox_entry_per_tenant_and_topic(world):
    created = await notifications.create(
        world.db,
        [world.new(), world.new(channel="push", recipient="t"), world.new()],
        window=timedelta(days=7),
    )
    assert sorted((e.topic, len(e.records)) for e in created.entries) == [
        ("push.high", 1),
        ("sms.high", 2),
    ]
    assert {topic: w.entries for topic, w in (await gauges.outbox(world.db)).items()} == {
        "push.high": 1,
        "sms.high": 1,
    }
    await outbox.delete(world.db, [e.id for e in created.entries])
    assert not await gauges.outbox(world.db)


async def test_a_key_is_taken_once_also_inside_one_statement_and_by_another_tenant_again(world):
    other, _ = await tenants.create(world.db, "other")
    first, twin = world.new(idempotency_key="k"), world.new(idempotency_key="k")
    foreign = world.new(idempotency_key="k", tenant_id=other.id)
    created = await notifications.create(world.db, [first, twin, foreign], window=timedelta(days=7))
    assert created.ids == {first.id, foreign.id}
    holders = await notifications.find_by_keys(world.db, [(world.tenant_id, "k")])
    assert holders[world.tenant_id, "k"].id == first.id


async def test_an_expired_key_can_be_used_again(world):
    await notifications.create(
        world.db, [world.new(idempotency_key="k")], window=timedelta(seconds=-1)
    )
    again = world.new(idempotency_key="k")
    created = await notifications.create(world.db, [again], window=timedelta(days=7))
    assert created.ids == {again.id}


async def test_two_claims_of_one_turn_one_wins(world):
    notification_id = await world.create()
    answers = await asyncio.gather(*(world.claim(notification_id, owner=n) for n in range(4)))
    assert sum(a is not None for a in answers) == 1


@pytest.mark.parametrize("cancel_first", [True, False])
async def test_cancel_against_claim(world, cancel_first):
    notification_id = await world.create()
    if cancel_first:
        assert await notifications.cancel(world.db, world.tenant_id, notification_id)
        assert await world.claim(notification_id) is None
        assert (await world.status(notification_id)).status == "cancelled"
    else:
        assert await world.claim(notification_id)
        assert await notifications.cancel(world.db, world.tenant_id, notification_id) is None
        assert (await world.status(notification_id)).status == "processing"


@pytest.mark.parametrize("park_first", [True, False])
async def test_park_against_claim(world, park_first):
    notification_id = await world.create()
    parking = Parking(Turn(notification_id, 1), 30.0, "lane", "busy")
    if park_first:
        changed = await deliveries.park(world.db, [parking])
        assert [e.topic for e in changed.entries] == ["sms.retry"]
        assert await world.claim(notification_id) is None
        found = await world.status(notification_id)
        assert (found.status, found.reason, found.attempts) == ("deferred", "busy", 0)
    else:
        assert await world.claim(notification_id)
        assert not (await deliveries.park(world.db, [parking])).ids


@pytest.mark.parametrize("timer_first", [True, False])
async def test_timer_against_scheduler(world, timer_first):
    notification_id = await world.create()
    await world.finish(await world.claim(notification_id), RETRY_NOW)
    turn = Turn(notification_id, 1)
    if timer_first:
        assert (await deliveries.queue(world.db, [turn])).entries
        assert await due(world) == (0, [])
    else:
        await world.db.fetch("UPDATE notifications SET due_at = now() - interval '1 minute'")
        assert (await due(world))[0] == 1
        queued = await deliveries.queue(world.db, [turn])
        assert (queued.entries, queued.early) == ([], {})
    assert (await world.status(notification_id)).seq == 2


async def test_the_scheduler_leaves_short_waits_to_the_timer_and_takes_scheduled_at_once(world):
    retrying = await world.create()
    await world.finish(await world.claim(retrying), RETRY_NOW)
    scheduled = await world.create(scheduled_at=datetime.now(UTC) + timedelta(hours=1))
    assert (await world.status(scheduled)).status == "scheduled"
    await world.db.fetch(
        "UPDATE notifications SET due_at = now() - interval '1 ms' WHERE status = 'scheduled'"
    )
    count, entries = await due(world)
    assert (count, [len(e.records) for e in entries]) == (1, [1])
    assert (await world.status(retrying)).status == "retrying"


async def test_a_timer_that_comes_early_is_told_how_early(world):
    notification_id = await world.create()
    await deliveries.park(world.db, [Parking(Turn(notification_id, 1), 30.0, "lane", "busy")])
    queued = await deliveries.queue(world.db, [Turn(notification_id, 1)])
    assert queued.entries == []
    assert 25 < queued.early[Turn(notification_id, 1)] <= 30


async def test_a_stale_message_claims_nothing(world):
    notification_id = await world.create()
    await world.finish(await world.claim(notification_id), RETRY_NOW)
    await deliveries.queue(world.db, [Turn(notification_id, 1)])
    assert await world.claim(notification_id, seq=1) is None
    again = await world.claim(notification_id, seq=2)
    assert again.attempts == 2


@pytest.mark.parametrize("worker_first", [True, False])
async def test_finish_against_the_end_of_the_lease(world, worker_first):
    notification_id = await world.create()
    claimed = await world.claim(notification_id, lease=timedelta(0))
    upkeep = upkeep_of(world)
    if worker_first:
        assert await world.finish(claimed, DELIVERED)
        await upkeep.end_leases()
        assert (await world.status(notification_id)).status == "delivered"
    else:
        await upkeep.end_leases()
        found = await world.status(notification_id)
        assert (found.status, found.attempts) == ("retrying", 1)
        assert not await world.finish(claimed, DELIVERED)
        assert (await deliveries.finish_late(world.db, claimed, DELIVERED)).ids
        assert (await world.status(notification_id)).status == "delivered"
        (attempt,) = await notifications.attempts(world.db, notification_id)
        assert (attempt.outcome, attempt.late_outcome) == ("unknown", "delivered")
    rows = await world.db.fetch("SELECT count(*) FROM leases")
    assert rows[0][0] == 0


async def test_a_late_success_is_refused_once_another_worker_has_claimed_it(world):
    notification_id = await world.create()
    stale = await world.claim(notification_id, lease=timedelta(0))
    await upkeep_of(world).end_leases()
    await deliveries.queue(world.db, [Turn(notification_id, 1)])
    fresh = await world.claim(notification_id, seq=2)
    assert fresh.attempts == 2
    assert not (await deliveries.finish_late(world.db, stale, DELIVERED)).ids
    assert await world.finish(fresh, DELIVERED)
    assert [a.late_outcome for a in await notifications.attempts(world.db, notification_id)] == [
        "delivered",
        None,
    ]


async def test_a_late_success_spares_what_was_rescheduled_meanwhile_a_second_call(world):
    notification_id = await world.create()
    stale = await world.claim(notification_id, lease=timedelta(0))
    await upkeep_of(world).end_leases()
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    assert await operations.reschedule(
        world.db, world.tenant_id, notification_id, scheduled_at=tomorrow, expires_at=None
    )
    assert (await deliveries.finish_late(world.db, stale, DELIVERED)).ids
    found = await world.status(notification_id)
    assert (found.status, found.due_at) == ("delivered", None)


async def test_hold_waits_for_an_operator_and_the_last_attempt_fails_with_its_reason(world):
    upkeep = upkeep_of(world)
    held = await world.create(on_unknown=OnUnknown.HOLD)
    spent = await world.create(priority=Priority.LOW)
    await world.claim(held, lease=timedelta(0))
    for seq in (1, 2, 3):
        await world.claim(spent, seq=seq, lease=timedelta(0))
        await upkeep.end_leases()
        await deliveries.queue(world.db, [Turn(spent, seq)])
    assert (await world.status(held)).status == "unknown"
    found = await world.status(spent)
    assert found.status == "failed"
    assert found.reason.startswith("outcome_unknown")
    letters = await world.db.fetch("SELECT notification_id, attempts FROM dead_letters")
    assert [(r["notification_id"], r["attempts"]) for r in letters] == [(spent, 3)]


async def test_a_restarted_slot_settles_its_own_leases_at_once_and_no_others(world):
    mine, other = await world.create(), await world.create()
    await world.claim(mine, owner=0)
    await world.claim(other, owner=1)
    await upkeep_of(world).end_leases(owner=0)
    assert (await world.status(mine)).status == "retrying"
    assert (await world.status(other)).status == "processing"


async def test_what_was_claimed_twice_within_a_lease_is_settled_and_counted_once(world):
    """Leases stay until their time has passed.

    Found by replaying dead letters and killing the worker.
    """
    notification_id = await world.create()
    await world.finish(await world.claim(notification_id), RETRY_NOW)
    await deliveries.queue(world.db, [Turn(notification_id, 1)])
    await world.claim(notification_id, seq=2)
    before = metrics.DUPLICATES._value.get(), metrics.LEASES_ENDED._value.get()
    await upkeep_of(world).end_leases(owner=0)
    assert (metrics.DUPLICATES._value.get(), metrics.LEASES_ENDED._value.get()) == (
        before[0] + 1,
        before[1] + 1,
    )
    assert (await world.status(notification_id)).status == "retrying"


async def test_a_gate_that_stops_it_uses_no_attempt(world):
    notification_id = await world.create()
    stopped = Finish(status=Status.EXPIRED, reason="expired", outcome=AttemptOutcome.NOT_CALLED)
    await world.finish(await world.claim(notification_id), stopped)
    assert (await world.status(notification_id)).attempts == 0
    (attempt,) = await notifications.attempts(world.db, notification_id)
    assert (attempt.number, attempt.outcome) == (1, "not_called")


async def test_failing_writes_the_dead_letter_and_its_record_in_one_transaction(world):
    notification_id = await world.create()
    claimed = await world.claim(notification_id)
    failed = Finish(
        status=Status.FAILED,
        reason="HTTP 400 refused",
        outcome=AttemptOutcome.PERMANENT,
        error="HTTP 400",
    )
    changed = await deliveries.finish(
        world.db, [Finishing(claimed.id, claimed.lease_token, failed)]
    )
    assert [e.topic for e in changed.entries] == ["sms.dlq", "events"]
    (row,) = await world.db.fetch("SELECT * FROM dead_letters")
    assert (row["notification_id"], row["reason"], row["channel"]) == (
        notification_id,
        "HTTP 400 refused",
        "sms",
    )


async def test_claiming_and_finishing_write_no_index(database_url):
    db = Database(database_url, size=1, name="test")  # one session, so that it sees its own figures
    try:
        tenant, _ = await tenants.create(db, "default")
        world = World(db, tenant.id)
        for notification_id in [
            await world.create() for _ in range(3)
        ]:  # few: all versions fit on one page
            await world.finish(await world.claim(notification_id), DELIVERED)
        rows = await db.fetch(
            "SELECT pg_stat_get_xact_tuples_updated(c.oid) + pg_stat_get_tuples_updated(c.oid) AS"
            " all, pg_stat_get_xact_tuples_hot_updated(c.oid) +"
            " pg_stat_get_tuples_hot_updated(c.oid) AS hot FROM pg_class c,"
            " pg_stat_force_next_flush() WHERE c.relname = 'notifications'"
        )
        assert rows[0]["all"] == 6
        assert rows[0]["hot"] == 6
    finally:
        await db.close()


async def test_an_outcome_is_recorded_whatever_words_a_provider_uses(world):
    notification_id = await world.create()
    odd = Finish(
        status=Status.DELIVERED,
        outcome=AttemptOutcome.DELIVERED,
        provider="p",
        provider_message_id="a\x00b\ud800",
    )
    assert await world.finish(await world.claim(notification_id), odd)
    assert (await world.status(notification_id)).provider_message_id == "ab?"


async def test_leftovers_stay_in_the_outbox_while_kafka_does_not_take_them(world):
    await world.create()
    await world.db.fetch("UPDATE outbox SET publish_after = now()")
    away = Upkeep(
        world.db,
        publish=lambda _: None,
        takes_leftovers=lambda: False,
        rooms=dict,
        jitter=lambda: 0.0,
    )
    assert await away.republish() == 0
    assert await upkeep_of(world).republish() == 1


def accepting(world, published=None):
    return Notifications(
        database=world.db,
        templates=TemplateChoice(world.db),
        publish=(published or []).extend,
        limits={name: channel.max_length for name, channel in CHANNELS.items()},
        window=timedelta(days=7),
    )


async def test_a_batch_whose_answer_was_lost_is_answered_again_not_made_again(world):
    sender = Caller(tenant_id=world.tenant_id, correlation_id="c", request_key="POST /batch abc k")
    drafts = [Draft(channel="sms", recipient="+905000000001", content=str(i)) for i in range(3)]
    for atomic in (False, True):
        sender = replace(sender, request_key=f"POST /batch {atomic} k")
        first = await accepting(world).create_batch(drafts, sender, atomic=atomic)
        again = await accepting(world).create_batch(drafts, sender, atomic=atomic)
        assert again.batch.id == first.batch.id
        assert [i.id for i in again.items] == [i.id for i in first.items]
    rows = await world.db.fetch("SELECT count(*) FROM notifications")
    assert rows[0][0] == 6


async def test_a_key_is_refused_to_one_item_and_its_neighbours_are_stored(world):
    sender = Caller(tenant_id=world.tenant_id, correlation_id="c")
    draft = Draft(channel="sms", recipient="+905000000001", content="hi", idempotency_key="k")
    plain = replace(draft, idempotency_key=None)
    service = accepting(world)
    await service.create(draft, sender)
    results = await asyncio.gather(
        *(service.create(d, sender) for d in (plain, draft, plain)), return_exceptions=True
    )
    assert [type(r).__name__ for r in results] == [
        "StoredNotification",
        "DuplicateKey",
        "StoredNotification",
    ]
    result = await service.create_batch([plain, draft, plain], sender, atomic=False)
    assert (result.batch.total_count, result.batch.rejected_count) == (2, 1)
    with pytest.raises(DuplicateKey):
        await service.create_batch([plain, draft], sender, atomic=True)
    rows = await world.db.fetch("SELECT count(*) FROM notifications")
    assert rows[0][0] == 5


async def test_forgetting_expired_keys_leaves_the_others(world):
    await notifications.create(
        world.db, [world.new(idempotency_key="old")], window=timedelta(seconds=-1)
    )
    await notifications.create(
        world.db, [world.new(idempotency_key="new")], window=timedelta(days=1)
    )
    assert await upkeep_of(world).forget_keys() == 1
    assert len(await notifications.find_by_keys(world.db, [(world.tenant_id, "new")])) == 1


async def test_the_relay_goes_on_after_a_record_that_kafka_cannot_take(
    world, endpoints, topics_prefix
):
    settings = Settings(
        topic_prefix=topics_prefix, topic_partitions=1, kafka_brokers=endpoints.kafka_brokers
    )
    await topics.ensure(settings.kafka, settings)
    relay = Relay(
        kafka=settings.kafka,
        prefix=topics_prefix,
        database=world.db,
        windows=unlimited(world, endpoints, topics_prefix),
    )
    relay.start()
    await until(lambda: relay._producer is not None, what="the relay to connect")
    huge = OutboxEntry(
        1, "sms.dlq", (Record(b"k", b"x" * 1_500_000, (("dlq.reason", b"poison"),)),)
    )
    relay.publish([huge, *(OutboxEntry(i, "sms.dlq", (Record(b"k", b"{}", ()),)) for i in (2, 3))])
    await until(lambda: relay._outstanding == 0, what="everything to be settled")
    assert relay.takes_leftovers  # nothing failed
    await relay.close()


async def test_leftovers_are_taken_by_one_worker_at_a_time(world):
    await world.create()
    assert await outbox.take_leftovers(world.db, limit=10) == []
    await world.db.fetch("UPDATE outbox SET publish_after = now()")
    taken = await asyncio.gather(*(outbox.take_leftovers(world.db, limit=10) for _ in range(4)))
    assert sum(map(len, taken)) == 1


async def test_a_bad_record_is_kept_byte_for_byte_once_per_place(world):
    record = BadRecord(
        id=uuid7(),
        channel="sms",
        reason="not JSON",
        topic="t.sms.high",
        partition=3,
        offset=7,
        key=b"\xff\x00",
        value=b"\x00{bad",
        headers=[("h", b"\xfe")],
    )
    (entry,) = await dead_letters.store_record(world.db, record)
    assert (entry.topic, entry.records[0].key, entry.records[0].value) == (
        "sms.dlq",
        b"\xff\x00",
        b"\x00{bad",
    )
    assert dict(entry.records[0].headers)["dlq.offset"] == b"7"
    assert await dead_letters.store_record(world.db, record) == []
    (row,) = await world.db.fetch("SELECT key, value FROM dead_letters")
    assert (row["key"], row["value"]) == (b"\xff\x00", b"\x00{bad")
