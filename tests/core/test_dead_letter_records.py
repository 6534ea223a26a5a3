"""What a record of a dead-letter topic tells of: a failed delivery, an undecodable record, or
neither.
"""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import orjson
import pytest

from notistream.kafka.dead_letter import (
    BadRecord,
    Consumed,
    FailedDelivery,
    dead_letter,
    id_of_place,
    time_of,
)
from notistream.kafka.outbox import outbox_entries

ID = UUID("01a20450-6039-768f-8b5f-5bb84f5117b6")
AT = datetime(2026, 1, 31, 9, 0, tzinfo=UTC)
RECORD = Consumed(
    topic="n.sms.dlq", partition=1, offset=5, at=AT, key=b"k", value=b"\x00{bad", headers=[]
)
OURS = [
    ("dlq.topic", b"n.sms.high"),
    ("dlq.partition", b"0"),
    ("dlq.offset", b"17"),
    ("dlq.reason", b"not JSON"),
    ("dlq.id", str(ID).encode()),
]
FAILED = {
    "v": 1,
    "id": str(ID),
    "notification_id": str(ID),
    "tenant_id": str(ID),
    "channel": "sms",
    "reason": "HTTP 400",
    "attempts": 1,
    "chain": 2,
    "topic": None,
    "partition": None,
    "offset": None,
    "history": [{"number": 1}],
    "created_at": "2026-01-31T09:00:00.123456+00:00",
}


def test_a_failed_delivery():
    found = dead_letter("sms", replace(RECORD, value=orjson.dumps(FAILED)))
    assert isinstance(found, FailedDelivery)
    assert (found.id, found.chain, found.history, found.key) == (ID, 2, [{"number": 1}], b"k")
    assert found.created_at == datetime(2026, 1, 31, 9, 0, 0, 123456, tzinfo=UTC)


@pytest.mark.parametrize(
    "before",
    [
        [],
        [("a", b"1"), ("a", None)],
        [("dlq.topic", b"another tool's")],
        [("dlq.id", b"another tool's")],
    ],
)
def test_an_undecodable_record_has_the_headers_that_it_came_with(before):
    found = dead_letter("sms", replace(RECORD, headers=[*before, *OURS]))
    assert isinstance(found, BadRecord)
    assert (found.id, found.topic, found.partition, found.offset, found.reason) == (
        ID,
        "n.sms.high",
        0,
        17,
        "not JSON",
    )
    assert (found.key, found.value, found.headers, found.created_at) == (
        b"k",
        b"\x00{bad",
        before,
        AT,
    )


@pytest.mark.parametrize(
    ("value", "headers"),
    [
        (None, []),
        (b"{}", []),
        (orjson.dumps({**FAILED, "channel": "push"}), []),
        (orjson.dumps({**FAILED, "v": 2}), []),
        (b"x", OURS[4:]),
        (b"x", [*OURS[:1], ("dlq.partition", b"one"), *OURS[2:]]),
        (b"x", [*OURS[:3], ("dlq.reason", b"\xff"), *OURS[4:]]),
        (b"x", [*OURS[:4], ("dlq.id", None)]),
        (b"x", [("dlq.topic", b""), *OURS[1:]]),
    ],
)
def test_what_is_neither_is_a_record_of_its_own_with_everything_that_it_has(value, headers):
    record = replace(RECORD, value=value, headers=headers)
    found = dead_letter("sms", record)
    assert isinstance(found, BadRecord)
    assert found.reason.startswith("not a dead letter: ")
    assert (found.topic, found.partition, found.offset) == ("n.sms.dlq", 1, 5)
    assert (found.key, found.value, found.headers) == (b"k", value, headers)
    assert found.id == dead_letter("sms", record).id


def test_an_id_made_from_a_place_is_a_uuid7_of_its_time():
    found, next_to_it = id_of_place(RECORD), id_of_place(replace(RECORD, offset=6))
    assert (found.version, found.variant) == (7, next_to_it.variant)
    assert found != next_to_it
    assert found.int >> 80 == int(AT.timestamp() * 1000)
    assert found < id_of_place(replace(RECORD, at=datetime(2026, 2, 1, tzinfo=UTC)))
    assert id_of_place(replace(RECORD, at=None)).version == 7


@pytest.mark.parametrize(
    ("timestamp", "time"),
    [(None, None), (-1.0, None), (0.0, None), (9e18, None), (1769850000.0, AT)],
)
def test_a_time_that_cannot_be_is_none(timestamp, time):
    assert time_of(timestamp) == time


def test_null_and_empty_stay_apart_on_their_way_through_the_outbox():
    messages = [
        [{"base64": None}, None, [["a", None], ["b", {"base64": ""}]]],
        [{"base64": ""}, "", []],
        ["k", None, []],
    ]
    null, empty, keyed = outbox_entries([[1, "sms.dlq", messages]])[0].records
    assert (null.key, null.value, null.headers) == (None, None, (("a", None), ("b", b"")))
    assert (empty.key, empty.value, keyed.value) == (b"", b"", None)
    assert (null.payload, empty.payload, keyed.payload) == (b"", b"", None)
