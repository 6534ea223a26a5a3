"""Records: what decodes, what does not, and what the outbox turns into."""

from uuid import UUID

import pytest

from notistream.kafka.outbox import outbox_entries
from notistream.kafka.topic_names import TOPICS
from notistream.kafka.wake_up import UndecodableError, decode_wake_up

ID = "01a20450-6039-768f-8b5f-5bb84f5117b6"


def test_wake_up_survives_unknown_fields_of_a_newer_version():
    wake_up = decode_wake_up(f'{{"v":1,"id":"{ID}","seq":3,"new":{{"a":1}}}}'.encode())
    assert (wake_up.id, wake_up.seq, wake_up.due_at) == (UUID(ID), 3, None)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "no value"),
        (b"", "JSON"),
        (b"{", "JSON"),
        (b"\xff\x00", "JSON"),
        (b"[]", "value"),
        (b'"x"', "value"),
        (b'{"v":1,"seq":1}', "id"),
        (b'{"v":1,"id":"x","seq":1}', "id"),
        (f'{{"v":2,"id":"{ID}","seq":1}}'.encode(), "v"),
        (f'{{"v":1,"id":"{ID}","seq":"abc"}}'.encode(), "seq"),
        (b"x" * 900_000, "JSON"),
        (f'{{"v":1,"id":"{ID}","seq":3000000000}}'.encode(), "seq"),
        (f'{{"v":1,"id":"{ID}","seq":0}}'.encode(), "seq"),
    ],
)
def test_undecodable_says_why(value, words):
    with pytest.raises(UndecodableError, match=words):
        decode_wake_up(value)


def test_outbox_entries_carry_json_and_raw_bytes():
    (entry,) = outbox_entries([[7, "sms.high", [["t:abc", {"v": 1}, {"traceparent": "00-x"}]]]])
    (record,) = entry.records
    assert (record.key, record.value, record.headers) == (
        b"t:abc",
        b'{"v":1}',
        (("traceparent", b"00-x"),),
    )
    (raw,) = outbox_entries([[8, "sms.dlq", [[{"base64": "/wA="}, "AAH/", {}]]]])[0].records
    assert (raw.key, raw.value) == (b"\xff\x00", b"\x00\x01\xff")


def test_topics_are_lanes_retries_dead_letters_and_events():
    assert len(TOPICS) == len(set(TOPICS)) == 4 * 3 + 4 + 4 + 1
