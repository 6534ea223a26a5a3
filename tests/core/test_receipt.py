"""Receipts: which word outweighs which, as a table; keys read back."""

from uuid import UUID

import pytest

from notistream.domain.notification import Claimed
from notistream.domain.receipt import RANK, SUPPRESSES, ReceiptState, outweighed, sent_as

ID = UUID("01936f5e-7b1c-7d3a-9a53-0242ac120002")

# Rows: what is known. Columns, in the same order: what comes in. x: it takes the place.
TABLE = """
             sent delayed undelivered delivered read bounced complained
sent         .    x       x           x         x    x       x
delayed      .    .       x           x         x    x       x
undelivered  .    .       .           x         x    x       x
delivered    .    .       .           .         x    x       x
read         .    .       .           .         .    x       x
bounced      .    .       .           .         .    .       x
complained   .    .       .           .         .    .       .
"""


def test_what_takes_the_place_of_what():
    head, *rows = [line.split() for line in TABLE.strip().splitlines()]
    assert set(head) == set(ReceiptState) == {row[0] for row in rows}
    for known, *marks in rows:
        for incoming, mark in zip(head, marks, strict=True):
            assert (ReceiptState(known) in outweighed(ReceiptState(incoming))) == (mark == "x"), (
                known,
                incoming,
            )


def test_whatever_suppresses_is_never_outweighed_by_what_does_not():
    assert all(
        RANK[heavy] > RANK[light]
        for heavy in SUPPRESSES
        for light in ReceiptState
        if light not in SUPPRESSES
    )


@pytest.mark.parametrize(
    ("key", "sent"),
    [
        (str(ID), (ID, 1)),
        (f"{ID}:3", (ID, 3)),
        (None, None),
        ("", None),
        ("nonsense", None),
        (f"{ID}:x", None),
        (f"{ID}:99999999999", None),
        (f"{ID}:-1", None),
    ],
)
def test_keys(key, sent):
    assert sent_as(key) == sent


@pytest.mark.parametrize("chain", [1, 2])
def test_the_key_of_a_delivery_leads_back_to_it(chain):
    claimed = Claimed.provider_key.fget
    assert sent_as(claimed(type("Delivery", (), {"id": ID, "chain": chain}))) == (ID, chain)
