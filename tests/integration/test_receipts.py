"""Receipts on a real PostgreSQL, and over HTTP: what a vendor says later is kept once, in order,
and acted upon.
"""

import asyncio
import json
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from uuid_utils.compat import uuid7

from notistream.db import receipts, suppressions
from notistream.db.pool import Database
from notistream.domain.event import decode_events
from notistream.domain.receipt import ProviderReceipt, ReceiptState
from notistream.domain.suppression import SuppressionReason
from notistream.errors import CallbackRefused, NotFound, Unavailable, UnreadableBody
from notistream.providers.api import (
    Callback,
    CallbackRefusedError,
    Context,
    TemporaryError,
    UnreadableCallbackError,
)
from notistream.providers.faulty import scattered
from notistream.providers.ses import SesProvider, SesSettings
from notistream.providers.sns import SnsReader
from notistream.recording import receipts as service
from notistream.recording.receipts import Receipts
from tests.providers.sns import TOPIC, Web, callback, envelope, event

pytestmark = pytest.mark.integration

S = ReceiptState
JANE = "Jane@Example.com"
SENT = """
WITH tenant AS (INSERT INTO tenants (id, name) VALUES ($1, $1::uuid::text) ON CONFLICT DO NOTHING)
INSERT INTO notifications (id, tenant_id, channel, priority, recipient, recipient_id, content, status, chain, attempts)
VALUES ($2, $1, $3, 'normal', $4, $5, 'hi', 'delivered', 1, 1)
"""
ATTEMPT = """
INSERT INTO attempts (notification_id, chain, number, provider, started_at, outcome, provider_message_id)
VALUES ($1, $2, $3, $4, now(), 'delivered', $5)
"""


HOT = """
SELECT pg_stat_get_xact_tuples_updated(c) AS updated, pg_stat_get_xact_tuples_hot_updated(c) AS hot
FROM (SELECT 'notifications'::regclass::oid AS c)
"""


class Said:
    """A provider whose callbacks are what a test says."""

    def __init__(self):
        self.found = ()
        self.error = None

    async def receipts(self, _callback):
        if self.error:
            raise self.error
        return self.found


class World:
    """The use case, a provider `acme` beside SES, and what was published."""

    def __init__(self, db):
        self.db, self.tenant, self.acme, self.web = db, uuid7(), Said(), Web()
        self.published = []
        ses = SesProvider(
            SesSettings(region="eu-central-1", sender="a@example.com", sns_topic_arns=[TOPIC]),
            Context(),
        )
        ses._sns = SnsReader([TOPIC], fetch=self.web.fetch)
        self.receipts = Receipts(db, {"acme": self.acme, "ses": ses}, publish=self.published.extend)

    async def sent(
        self,
        message_id="m-1",
        *,
        provider="acme",
        channel="email",
        recipient=JANE,
        recipient_id=None,
        chain=1,
    ):
        id_ = uuid7()
        await self.db.fetch(SENT, self.tenant, id_, channel, recipient, recipient_id)
        await self.record(id_, message_id, provider=provider, chain=chain)
        return id_

    async def record(self, id_, message_id, *, provider="acme", chain=1, number=1):
        await self.db.fetch(
            "UPDATE notifications SET chain = greatest(chain, $2) WHERE id = $1", id_, chain
        )
        await self.db.fetch(ATTEMPT, id_, chain, number, provider, message_id)

    async def say(self, *found):
        self.acme.found = found
        await self.receipts.receive("acme", Callback(headers={}, body=b""))

    async def receipt(self, id_):
        row = await self.db.fetchrow("SELECT receipt FROM notifications WHERE id = $1", id_)
        return row["receipt"]

    async def state(self, id_):
        found = await self.receipt(id_)
        return found and found["state"]

    async def suppressed(self):
        found = await suppressions.list_page(
            self.db, self.tenant, after=None, channel=None, address=None, limit=10
        )
        return [(s.channel, s.address, s.reason, s.note) for s in found]

    def events(self):
        return [
            told
            for entry in self.published
            for record in entry.records
            for told in decode_events(record.value).events
        ]


@pytest.fixture
async def world(database_url):
    opened = Database(database_url, size=4, name="test")
    yield World(opened)
    await opened.close()


def said(state, message_id="m-1", **more):
    return ProviderReceipt(message_id=message_id, state=state, **more)


async def test_a_receipt_is_kept_beside_the_notification_and_told(world):
    id_ = await world.sent(recipient_id="user-1")
    at = datetime(2026, 11, 25, 10, 0, 0, 5000, tzinfo=UTC)
    await world.say(said(S.DELIVERED, at=at, detail="250 ok"))
    kept = {
        "state": "delivered",
        "at": "2026-11-25T10:00:00.005000Z",
        "detail": "250 ok",
        "provider": "acme",
        "chain": 1,
    }
    assert await world.receipt(id_) == kept
    (told,) = world.events()
    assert told.type == "notification.receipt"
    assert told.data["receipt"] == kept
    assert (told.data["notification_id"], told.data["status"]) == (str(id_), "delivered")
    assert JANE not in str(told)
    row = await world.db.fetchrow("SELECT status FROM notifications WHERE id = $1", id_)
    assert row["status"] == "delivered"  # what the provider accepted stays accepted


async def test_the_same_callback_twice_changes_nothing(world):
    id_ = await world.sent()
    await world.say(said(S.BOUNCED, detail="first"))
    before, lists = await world.receipt(id_), await world.suppressed()
    await suppressions.remove(
        world.db, world.tenant, channel="email", address=JANE
    )  # an operator knows better
    await world.say(said(S.BOUNCED, detail="again"), said(S.BOUNCED))
    assert await world.receipt(id_) == before
    assert lists
    assert await world.suppressed() == []
    assert len(world.events()) == 1


@pytest.mark.parametrize("seed", range(5))
async def test_late_and_unordered_receipts_never_move_it_back(world, seed):
    id_ = await world.sent()
    furthest = -1
    order = list(S)
    for receipt in scattered([said(state) for state in S], seed):
        furthest = max(furthest, order.index(receipt.state))
        await world.say(receipt)
        assert await world.state(id_) == order[furthest]


async def test_at_once_from_many_connections_the_strongest_stays(world):
    id_ = await world.sent()
    every = [said(state) for state in S] * 3
    await asyncio.gather(
        *(receipts.apply(world.db, "acme", each, now=datetime.now(UTC)) for each in every)
    )
    assert await world.state(id_) == "complained"


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (S.SENT, None),
        (S.DELAYED, None),
        (S.UNDELIVERED, None),
        (S.DELIVERED, None),
        (S.READ, None),
        (S.BOUNCED, "bounce"),
        (S.COMPLAINED, "complaint"),
    ],
)
async def test_what_goes_on_the_suppression_list(world, state, reason):
    await world.sent()
    await world.say(said(state, detail="words"))
    assert await world.suppressed() == (
        [("email", JANE.lower(), reason, "words")] if reason else []
    )


async def test_a_manual_suppression_stays_as_it_is(world):
    await world.sent()
    await suppressions.put(
        world.db,
        world.tenant,
        channel="email",
        address=JANE,
        reason=SuppressionReason.MANUAL,
        note="mine",
    )
    await world.say(said(S.COMPLAINED))
    assert await world.suppressed() == [("email", JANE.lower(), "manual", "mine")]


async def test_for_a_stored_recipient_the_vendors_address_is_suppressed(world):
    await world.sent("m-1", channel="sms", recipient=None, recipient_id="user-1")
    await world.sent("m-2", channel="sms", recipient=None, recipient_id="user-1")
    await world.say(said(S.BOUNCED, "m-1"))
    assert await world.suppressed() == []
    await world.say(said(S.BOUNCED, "m-2", address="+905551234567"))
    assert [address for _, address, _, _ in await world.suppressed()] == ["+905551234567"]


async def test_another_providers_message_id_is_another_message(world):
    id_ = await world.sent("m-1", provider="other")
    await world.say(said(S.DELIVERED, "m-1"))
    assert await world.receipt(id_) is None


async def test_after_a_replay_only_the_new_chain_counts(world):
    id_ = await world.sent("m-1")
    await world.say(said(S.COMPLAINED, "m-1"))
    await world.record(id_, "m-2", chain=2)
    await world.say(said(S.SENT, "m-2"))
    assert await world.state(id_) == "sent"
    await world.say(said(S.COMPLAINED, "m-1"))
    assert (await world.receipt(id_))["chain"] == 2


async def test_each_attempt_of_a_chain_may_bring_it(world):
    id_ = await world.sent("m-1")
    await world.record(id_, "m-2", number=2)
    await world.say(said(S.DELIVERED, "m-1"), said(S.SENT, "m-2"))
    assert await world.state(id_) == "delivered"


async def test_by_its_key_it_is_found_though_the_answer_was_lost(world):
    id_ = await world.sent(None)
    await world.say(said(S.DELIVERED, "nobody-knows", key=str(id_)))
    assert await world.state(id_) == "delivered"
    await world.say(said(S.COMPLAINED, "x", key=f"{id_}:2"))  # no such chain has begun
    assert await world.state(id_) == "delivered"


async def test_an_early_receipt_waits_for_the_record(world):
    await world.say(said(S.BOUNCED, detail="early", address="x"))
    await world.say(said(S.BOUNCED))
    assert await world.receipts.match_early() == 0
    id_ = await world.sent()
    assert await world.receipts.match_early() == 1
    assert (await world.receipt(id_))["detail"] == "early"
    assert len(await world.suppressed()) == 1
    assert len(world.events()) == 1
    assert await world.receipts.match_early() == 0


async def test_what_never_gets_a_record_is_forgotten_after_ten_minutes(world):
    await world.say(said(S.SENT), said(S.DELIVERED, "m-2"))
    await world.db.fetch(
        "UPDATE early_receipts SET received_at = now() - $1::interval WHERE message_id = 'm-1'",
        service.KEPT,
    )
    await world.receipts.match_early()
    assert [
        row["message_id"] for row in await world.db.fetch("SELECT message_id FROM early_receipts")
    ] == ["m-2"]


async def test_words_that_postgresql_cannot_keep(world):
    id_ = await world.sent(channel="sms", recipient=None, recipient_id="u")
    await world.say(
        said(S.BOUNCED, detail="a\x00b\ud800", address="\x00\ud800"),
        said(S.SENT, "\x00", key="\ud800"),
    )
    assert (await world.receipt(id_))["detail"] == "ab?"


@pytest.mark.parametrize(
    ("error", "answer"),
    [
        (CallbackRefusedError("no"), CallbackRefused),
        (UnreadableCallbackError("no"), UnreadableBody),
        (TemporaryError("no"), Unavailable),
    ],
)
async def test_what_a_provider_says_no_to(world, error, answer):
    world.acme.error = error
    with pytest.raises(answer):
        await world.say()


async def test_providers_without_callbacks_are_not_found():
    mute = Receipts(SimpleNamespace(), {"mute": object()}, publish=lambda _: None)
    for name in ("mute", "other"):
        with pytest.raises(NotFound):
            await mute.receive(name, Callback(headers={}, body=b""))


@pytest.mark.parametrize("version", ["1", "2"])
async def test_a_bounce_of_ses_arrives_through_sns(world, version):
    id_ = await world.sent("ses-1", provider="ses")
    bounce = event("Bounce", {"bounceType": "Permanent", "bounceSubType": "General"})
    for _ in range(2):
        await world.receipts.receive("ses", callback(envelope(json.dumps(bounce), version=version)))
    assert await world.receipt(id_) == {
        "state": "bounced",
        "at": "2026-11-25T10:00:00Z",
        "detail": "Permanent General",
        "provider": "ses",
        "chain": 1,
    }
    assert await world.suppressed() == [("email", JANE.lower(), "bounce", "Permanent General")]
    assert len(world.events()) == 1
    with pytest.raises(CallbackRefused):
        await world.receipts.receive("ses", callback(envelope("x") | {"Message": "y"}))


async def test_receipts_cost_the_hot_path_no_update_of_an_index(world):
    """The index is on attempts, which are only added; a receipt itself is a HOT update too."""
    id_ = await world.sent()
    await world.say(said(S.SENT))
    await world.say(said(S.DELIVERED))
    async with world.db.transaction() as db:
        await db.fetch("UPDATE notifications SET receipt = '{}' WHERE id = $1", id_)
        row = await db.fetchrow(HOT)
    assert 1 <= row["updated"] == row["hot"]


async def test_a_receipt_is_found_by_an_index(world):
    await world.db.fetch(
        "INSERT INTO attempts (notification_id, chain, number, provider, started_at, outcome,"
        " provider_message_id) SELECT gen_random_uuid(), 1, 1, 'acme', now(), 'delivered', 'x-' ||"
        " i FROM generate_series(1, 20000) AS i"
    )
    await world.db.fetch("ANALYZE attempts")
    async with world.db.transaction() as db:
        await db.fetch("SET LOCAL plan_cache_mode = force_generic_plan")
        plan = await db.fetch(
            f"EXPLAIN {receipts.SQL['apply']}", "acme", "x-1", None, None, {}, [], None, None
        )
    text = "\n".join(row[0] for row in plan)
    assert "attempts_message" in text
    assert "Seq Scan on attempts" not in text
