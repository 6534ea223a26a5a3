"""Dead letters on a real database: the replay step and its races, what a lost table is rebuilt
from, filters.
"""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import orjson
import pytest
from uuid_utils.compat import uuid7

from notistream.db import audit_log, dead_letters, deliveries, outbox
from notistream.db.dead_letters import Filter
from notistream.db.pool import Database
from notistream.db.replay import ReplayItem, replay
from notistream.db.tenants import create as create_tenant
from notistream.dead_letters.letters import DeadLetters, ReplayCount
from notistream.domain.notification import Status
from notistream.domain.outcome import AttemptOutcome, Finish
from notistream.errors import NotFound, NotReplayable
from notistream.kafka.dead_letter import BadRecord, Consumed, dead_letter
from notistream.kafka.outbox import Record
from tests.integration.test_protocol import DELIVERED, RETRY_NOW, World

pytestmark = pytest.mark.integration
REFUSED = Finish(
    status=Status.FAILED,
    reason="HTTP 400 bad request",
    outcome=AttemptOutcome.PERMANENT,
    error="HTTP 400",
    provider="webhook",
    duration_ms=1.5,
)
TERMINAL = ("delivered", "failed", "cancelled", "suppressed", "expired")


class Desk(World):
    """A tenant whose deliveries fail, and the operator's use cases."""

    def __init__(self, db, tenant_id):
        super().__init__(db, tenant_id)
        self.published = []
        self.letters = DeadLetters(db, prefix="t", publish=self.published.extend)

    async def fail(self, notification_id, seq=1, end=REFUSED):
        claimed = await self.claim(notification_id, seq)
        assert await self.finish(claimed, end)

    async def failed(self, count=1, **fields):
        """The ids of notifications that were refused."""
        found = [await self.create(**fields) for _ in range(count)]
        for one in found:
            await self.fail(one)
        return found

    async def rows(self):
        return [dict(row) for row in await self.db.fetch("SELECT * FROM dead_letters ORDER BY id")]

    async def entries(self, **meant):
        return await dead_letters.list_page(self.db, Filter(**meant), before=None, limit=1000)

    async def records_of(self, topic):
        """What is in the outbox for a topic, as it would be read from Kafka."""
        found = await self.db.fetch(
            "SELECT id, topic, messages FROM outbox WHERE topic = $1 ORDER BY id", topic
        )
        return [
            consumed(record, topic=f"t.{topic}", offset=offset)
            for offset, record in enumerate(
                record
                for row in outbox.outbox_entries([tuple(r) for r in found])
                for record in row.records
            )
        ]

    async def bury(self, **fields):
        record = bad(**fields)
        assert await dead_letters.store_record(self.db, record)
        return record


def consumed(record: Record, *, topic, offset):
    return Consumed(
        topic=topic,
        partition=0,
        offset=offset,
        at=datetime.now(UTC),
        key=record.key,
        value=record.payload,
        headers=record.headers,
    )


def bad(**fields):
    return BadRecord(
        **{
            "id": uuid7(),
            "channel": "sms",
            "reason": "undecodable: not JSON",
            "topic": "t.sms.high",
            "partition": 1,
            "offset": 7,
            "key": b"\xff\x00",
            "value": b"\x00{bad",
            "headers": [
                ("h", b"\xfe"),
                ("h", b"2"),
                ("none", None),
                ("empty", b""),
                ("dlq.topic", b"of another tool"),
            ],
            **fields,
        }
    )


@pytest.fixture
async def desk(database_url):
    db = Database(database_url, size=6, name="test")
    tenant, _ = await create_tenant(db, "default")
    yield Desk(db, tenant.id)
    await db.close()


async def test_a_replay_begins_a_new_chain(desk):
    (one,) = await desk.failed()
    before = await desk.status(one)
    done = await replay(
        desk.db, replay_id=uuid7(), items=[ReplayItem(one, 1)], statuses=["failed"], reason="again"
    )
    assert done.ids == {one}
    after = await desk.status(one)
    assert (after.status, after.chain, after.attempts, after.seq) == (
        "pending",
        2,
        0,
        before.seq + 1,
    )
    assert (after.reason, after.error_message, after.failed_at, after.due_at) == (
        None,
        None,
        None,
        None,
    )
    (entry,) = done.entries
    assert (entry.topic, orjson.loads(entry.records[0].value)["seq"]) == (
        "sms.high",
        before.seq + 1,
    )
    claimed = await desk.claim(one, seq=after.seq)
    assert claimed.provider_key == f"{one}:2"
    (step,) = await desk.db.fetch("SELECT * FROM trace_steps WHERE gate = 'replay'")
    assert (step["notification_id"], step["reason"], step["inputs"]["chain"]) == (one, "again", 2)
    (letter,) = await desk.rows()
    assert letter["replayed_at"] is not None


@pytest.mark.parametrize("status", sorted(set(Status) - set(TERMINAL)))
async def test_what_has_not_ended_is_not_replayed_whatever_is_asked(desk, status):
    one = await desk.create()
    await desk.db.fetch("UPDATE notifications SET status = $1", status)
    done = await replay(
        desk.db,
        replay_id=uuid7(),
        items=[ReplayItem(one)],
        statuses=[s.value for s in Status],
        reason="",
    )
    assert (done.ids, done.entries) == (frozenset(), [])
    assert (await desk.status(one)).chain == 1


async def test_a_replay_needs_the_status_and_the_chain_that_are_expected(desk):
    (one,) = await desk.failed()
    for item, statuses in ((ReplayItem(one, 2), ["failed"]), (ReplayItem(one, 1), ["delivered"])):
        assert not (
            await replay(desk.db, replay_id=uuid7(), items=[item], statuses=statuses, reason="")
        ).ids
    assert (await desk.status(one)).status == "failed"


async def test_one_replay_id_queues_a_notification_once_however_often_it_ends(desk):
    (one,) = await desk.failed()
    replay_id = uuid7()
    for _ in range(3):
        await replay(
            desk.db, replay_id=replay_id, items=[ReplayItem(one)], statuses=["failed"], reason=""
        )
        found = await desk.status(one)
        if found.status == "pending":
            await desk.fail(one, seq=found.seq)
    assert (await desk.status(one)).chain == 2
    assert len(await desk.rows()) == 2


async def test_of_replays_at_the_same_time_one_wins(desk):
    failed = await desk.failed(40)
    items = [ReplayItem(one, 1) for one in failed]
    done = await asyncio.gather(
        *(
            replay(desk.db, replay_id=uuid7(), items=items[::step], statuses=["failed"], reason="")
            for step in (1, -1, 1, -1, 1)
        )
    )
    assert sum(len(d.ids) for d in done) == 40
    assert sum(len(e.records) for d in done for e in d.entries) == 40
    for one in failed:
        found = await desk.status(one)
        assert (found.status, found.chain, found.seq) == ("pending", 2, 2)


async def test_a_replay_and_a_late_success_of_the_old_chain(desk):
    """The worker that timed out reports its success after the operator has replayed: the new chain
    is not its own.
    """
    one = await desk.create()
    claimed = await desk.claim(one)
    await desk.finish(
        claimed,
        replace(RETRY_NOW, status=Status.FAILED, outcome=AttemptOutcome.UNKNOWN, delay_s=None),
    )
    await desk.letters.replay((await desk.entries())[0].id, actor="test")
    assert not (await deliveries.finish_late(desk.db, claimed, DELIVERED)).ids
    assert (await desk.status(one)).status == "pending"


async def test_the_second_replay_of_an_entry_changes_nothing(desk):
    (one,) = await desk.failed()
    (entry,) = await desk.entries()
    first = await desk.letters.replay(entry.id, actor="admin")
    assert first.replayed_at is not None
    again = await asyncio.gather(*(desk.letters.replay(entry.id, actor="admin") for _ in range(5)))
    assert {a.replayed_at for a in again} == {first.replayed_at}
    assert sum(len(e.records) for e in desk.published) == 1
    assert (await desk.status(one)).chain == 2
    actions = await audit_log.list_page(desk.db, limit=10)
    assert [(a.actor, a.action, a.target) for a in actions] == [
        ("admin", "dlq.replay", str(entry.id))
    ]


async def test_what_fails_again_comes_back_with_its_history(desk):
    (one,) = await desk.failed()
    (entry,) = await desk.entries()
    await desk.letters.replay(entry.id, actor="test")
    await desk.fail(one, seq=2, end=replace(REFUSED, reason="HTTP 410 gone", error="HTTP 410"))
    second, first = await desk.entries()
    assert (first.chain, first.replayed_at is None) == (1, False)
    assert (second.chain, second.reason, second.replayed_at) == (2, "HTTP 410 gone", None)
    whole = await desk.letters.get(second.id)
    assert [(c["chain"], c["number"], c["error"]) for c in whole.history] == [
        (1, 1, "HTTP 400"),
        (2, 1, "HTTP 410"),
    ]
    assert (await desk.letters.get(first.id)).history == whole.history[:1]
    assert (await desk.letters.replay(first.id, actor="test")).replayed_at == first.replayed_at
    assert (await desk.status(one)).status == "failed"


async def test_a_replay_by_filter_takes_each_once_and_what_fails_again_waits(desk):
    failed = await desk.failed(30)
    await desk.failed(5, channel="push", recipient="tok")
    kinds = await desk.letters.kinds(Filter(channel="sms"))
    assert [(k.channel, k.reason, k.count) for k in kinds.most] == [
        ("sms", "HTTP 400 bad request", 30)
    ]
    seen = []
    outcome = await desk.letters.replay_matching(
        Filter(channel="sms"), actor="test", limit=12, progress=seen.append
    )
    assert (outcome, sum(seen)) == (ReplayCount(12, 0), 12)
    for one in failed:  # half of what was replayed fails at once
        found = await desk.status(one)
        if found.status == "pending":
            await desk.fail(one, seq=found.seq)
    assert await desk.letters.replay_matching(
        Filter(channel="sms"), actor="test", limit=18
    ) == ReplayCount(18, 0)
    chains = sorted([(await desk.status(one)).chain for one in failed])
    assert chains == [2] * 30
    assert len(await desk.entries(channel="sms", replayed=False)) == 12
    assert len(await desk.entries(channel="push", replayed=False)) == 5


async def test_failing_again_during_a_replay_does_not_make_it_endless(desk, monkeypatch):
    await desk.failed(10)
    taken = []

    def fail_again(entries):
        for entry in entries:
            for record in entry.records:
                taken.append(
                    asyncio.ensure_future(
                        desk.fail(
                            UUID(orjson.loads(record.value)["id"]),
                            seq=orjson.loads(record.value)["seq"],
                        )
                    )
                )

    desk.letters = DeadLetters(desk.db, prefix="t", publish=fail_again)
    monkeypatch.setattr("notistream.dead_letters.letters.CHUNK", 3)
    assert await desk.letters.replay_matching(Filter(), actor="test", limit=1000) == ReplayCount(
        10, 0
    )
    await asyncio.gather(*taken)
    assert len(taken) == 10
    assert len(await desk.entries(replayed=False)) == 10


async def test_a_process_without_a_relay_leaves_the_publishing_to_the_workers_at_once(desk):
    await desk.failed()
    await desk.db.fetch("DELETE FROM outbox")
    (entry,) = await desk.entries()
    await DeadLetters(desk.db, prefix="t").replay(entry.id, actor="cli")
    (left,) = await outbox.take_leftovers(desk.db, limit=10)
    assert left.topic == "sms.high"


async def test_an_undecodable_record_goes_back_as_it_was(desk):
    record = await desk.bury()
    await desk.db.fetch("DELETE FROM outbox")
    found = await desk.letters.replay(record.id, actor="test")
    assert found.replayed_at is not None
    (again,) = await desk.records_of("sms.high")
    assert (again.key, again.value, list(again.headers)) == (
        record.key,
        record.value,
        record.headers,
    )
    await desk.letters.replay(record.id, actor="test")
    assert len(await desk.records_of("sms.high")) == 1


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"topic": "another.sms.high"}, "is not one of t"),
        ({"value": b"", "headers": [("dlq.oversize", b"1048000")]}, "bytes were lost"),
        ({"value": b"x" * 1_000_000}, "too large"),
    ],
)
async def test_an_undecodable_record_that_cannot_go_back_says_why(desk, fields, words):
    record = await desk.bury(**fields)
    with pytest.raises(NotReplayable, match=words):
        await desk.letters.replay(record.id, actor="test")
    assert await desk.letters.replay_matching(Filter(), actor="test", limit=10) == ReplayCount(0, 1)
    assert (await desk.letters.get(record.id)).replayed_at is None


async def test_a_dead_letter_whose_notification_is_gone_says_so(desk):
    await desk.failed()
    (entry,) = await desk.entries()
    await desk.db.fetch("DELETE FROM notifications")
    with pytest.raises(NotReplayable, match="gone"):
        await desk.letters.replay(entry.id, actor="test")
    with pytest.raises(NotFound):
        await desk.letters.replay(uuid7(), actor="test")


async def test_a_lost_table_is_rebuilt_from_the_topic_without_duplicates_and_byte_for_byte(desk):
    one, _ = await desk.failed(2)
    for offset, (key, value) in enumerate(
        [(b"\xff", b"\x00{bad"), (None, b"x"), (b"", b""), (b"k", None)]
    ):
        await desk.bury(offset=offset, key=key, value=value)
    await desk.letters.replay((await desk.entries(notification_id=one))[0].id, actor="test")
    before = await desk.rows()
    records = await desk.records_of("sms.dlq")
    letters = [dead_letter("sms", record) for record in records]
    assert len(letters) == len(before) == 6
    assert await asyncio.gather(*map(desk.letters.keep, letters)) == [False] * 6
    assert await desk.rows() == before
    await desk.db.fetch("TRUNCATE dead_letters")
    assert await asyncio.gather(*map(desk.letters.keep, letters)) == [True] * 6
    await asyncio.gather(*map(desk.letters.keep, letters * 2))
    after = await desk.rows()
    undated = [
        {**row, "created_at": None} if row["notification_id"] is None else row for row in before
    ]
    assert [
        {**row, "created_at": None} if row["notification_id"] is None else row for row in after
    ] == undated


async def test_rebuilding_does_not_bring_back_what_was_deleted(desk):
    await desk.failed()
    await desk.bury()
    letters = [dead_letter("sms", record) for record in await desk.records_of("sms.dlq")]
    ids = [letter.id for letter in letters]
    assert await desk.letters.delete([*ids, uuid7()], actor="test") == set(ids)
    assert await desk.letters.delete(ids, actor="test") == set()
    assert await asyncio.gather(*map(desk.letters.keep, letters)) == [False, False]
    assert await desk.entries() == []
    for row in await desk.rows():
        assert (row["key"], row["value"], row["headers"], row["history"]) == (None, None, [], [])
    for entry_id in ids:
        with pytest.raises(NotFound):
            await desk.letters.replay(entry_id, actor="test")
    assert {a.action for a in await audit_log.list_page(desk.db, limit=10)} == {"dlq.delete"}


def failed_record(**fields):
    return {
        "v": 1,
        "id": str(uuid7()),
        "notification_id": str(uuid7()),
        "tenant_id": str(uuid7()),
        "channel": "sms",
        "reason": "refused",
        "attempts": 1,
        "chain": 1,
        "topic": "t.sms.high",
        "partition": 0,
        "offset": 1,
        "history": [],
        "created_at": "2026-01-31T09:00:00+00:00",
        **fields,
    }


@pytest.mark.parametrize(
    ("fields", "ours"),
    [
        ({}, True),
        ({"topic": None, "partition": None, "offset": None}, True),
        (
            {"reason": "NUL \x00 here", "history": [{"number": 1, "error": "a\x00b \\u0000 c"}]},
            True,
        ),
        ({"new_field": {"of": "a newer version"}, "history": [{"number": 1, "new": [1]}]}, True),
        ({"history": [{"number": 1, "duration_ms": 1e308}]}, True),
        ({"v": 2}, False),
        ({"channel": "push"}, False),
        ({"attempts": 2**31}, False),
        ({"offset": 2**63}, False),
        ({"created_at": "0001-01-01T00:00:00+14:00"}, False),
        ({"created_at": "2026-01-31T09:00:00"}, False),
        ({"history": [{"number": 2**70}]}, False),
    ],
)
async def test_whatever_is_on_the_topic_is_kept(desk, fields, ours):
    value = json.dumps(failed_record(**fields)).encode()
    record = consumed(Record(b"k", value, ()), topic="t.sms.dlq", offset=3)
    assert await desk.letters.keep(dead_letter("sms", record))
    assert not await desk.letters.keep(dead_letter("sms", record))
    (row,) = await desk.rows()
    assert (row["notification_id"] is not None) == ours
    if not ours:
        assert (row["topic"], row["offset"], row["value"]) == ("t.sms.dlq", 3, record.value)


async def test_filters(desk):
    other, _ = await create_tenant(desk.db, "other")
    (one,) = await desk.failed()
    (pushed,) = await desk.failed(channel="push", recipient="tok", template_id=None)
    foreign = await desk.create(tenant_id=other.id)
    await desk.fail(foreign, end=replace(REFUSED, reason="HTTP 422 Unprocessable"))
    await desk.db.fetch("UPDATE notifications SET template_name = 'welcome' WHERE id = $1", pushed)
    record = await desk.bury()
    now = datetime.now(UTC)
    expected = [
        ({}, {one, pushed, foreign, None}),
        ({"tenant_id": other.id}, {foreign}),
        ({"channel": "push"}, {pushed}),
        ({"reason": "http 42"}, {foreign}),
        ({"reason": "%"}, set()),
        ({"notification_id": one}, {one}),
        ({"template": "welcome"}, {pushed}),
        ({"since": now + timedelta(minutes=1)}, set()),
        ({"until": now + timedelta(minutes=1), "channel": "push"}, {pushed}),
        ({"replayed": True}, set()),
        ({"replayed": False, "channel": "push"}, {pushed}),
    ]
    for meant, found in expected:
        assert {e.notification_id for e in await desk.entries(**meant)} == found, meant
        kinds = await dead_letters.kinds(desk.db, Filter(**meant), limit=1)
        assert (kinds.total, len(kinds.most)) == (len(found), min(len(found), 1)), meant
    everything = await desk.entries()
    pages = [
        await dead_letters.list_page(desk.db, Filter(), before=everything[0].id, limit=2),
        await dead_letters.list_page(desk.db, Filter(), before=everything[2].id, limit=2),
    ]
    assert [*everything[:1], *pages[0], *pages[1]] == everything
    assert [e.id for e in everything] == sorted((e.id for e in everything), reverse=True)
    assert record.id in {e.id for e in everything}
