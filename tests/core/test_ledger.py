"""The ledger of deliveries: what its group commits answer to each of those who share them."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest

from notistream.db.deliveries import COPIED
from notistream.delivery.ports import Turn
from notistream.errors import DatabaseUnavailable
from notistream.recording.ledger import DeliveryLedger
from tests.core.delivery_fakes import CLAIMED


class Claims:
    """Claims what is pending, once; each row with the stored wishes of its recipient."""

    def __init__(self):
        self.pending = {}
        self.statements = 0
        self.error = None

    def add(self, wishes=None):
        turn = Turn(uuid4(), 1)
        self.pending[turn.id] = wishes
        return turn

    async def fetch(self, _statement, ids, *_arguments):
        self.statements += 1
        await asyncio.sleep(0)
        if self.error:
            raise self.error
        return [self._row(i, self.pending.pop(i)) for i in dict.fromkeys(ids) if i in self.pending]

    def _row(self, notification_id, wishes):
        return {
            **{name: getattr(CLAIMED, name) for name in COPIED},
            "id": notification_id,
            "recipient": "+905000000001",
            "priority": "normal",
            "on_unknown": "resend",
            "wishes": wishes,
            "category_wishes": {},
            "push_tokens": None,
        }


def ledger(claims):
    return DeliveryLedger(
        claims, publish=lambda _: None, owner=0, lease=timedelta(seconds=30), concurrency=64
    )


async def test_claims_that_come_together_share_a_statement_and_each_gets_its_own():
    claims = Claims()
    turns = [claims.add() for _ in range(50)]
    book = ledger(claims)
    found = await asyncio.gather(
        *(book.claim(turn) for turn in turns), book.claim(Turn(uuid4(), 1))
    )
    assert [claimed and claimed.id for claimed in found] == [*(turn.id for turn in turns), None]
    assert claims.statements <= 2


async def test_a_turn_that_came_twice_is_claimed_once():
    claims = Claims()
    turn, book = claims.add(), ledger(claims)
    found = await asyncio.gather(*(book.claim(turn) for _ in range(5)))
    assert [claimed is not None for claimed in found].count(True) == 1


async def test_a_database_that_is_away_is_said_to_all():
    claims = Claims()
    claims.error = DatabaseUnavailable()
    book = ledger(claims)
    found = await asyncio.gather(
        *(book.claim(claims.add()) for _ in range(3)), return_exceptions=True
    )
    assert {type(error) for error in found} == {DatabaseUnavailable}


@pytest.mark.parametrize(
    "wishes",
    [
        {"sms": {"quiet_hours": {"start": "25:00", "end": "1"}}},
        {"sms": {"frequency_cap": {"count": 5}}},
    ],
)
async def test_one_that_cannot_be_read_does_not_take_its_neighbours_with_it(wishes):
    """They are claimed and committed by then: asked again, the database gives nothing, and their
    leases run out.
    """
    claims = Claims()
    turns = [claims.add() for _ in range(5)]
    bad = claims.add(wishes)
    book = ledger(claims)
    found = await asyncio.gather(
        *(book.claim(turn) for turn in (*turns[:3], bad, *turns[3:])), return_exceptions=True
    )
    neighbours = [*found[:3], *found[4:]]
    assert [claimed and claimed.id for claimed in neighbours] == [turn.id for turn in turns]
