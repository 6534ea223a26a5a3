"""The event: what the topic carries is read back, and what is not an event is refused in words."""

import orjson
import pytest

from notistream.domain.event import decode_events

TENANT = "01a20474-f3c7-77f9-aada-0c85165ddd9d"
EVENT = {
    "id": TENANT,
    "type": "notification.delivered",
    "at": "2026-11-25T09:00:00.5+00:00",
    "data": {"status": "x"},
}
RECORD = {"v": 1, "tenant_id": TENANT, "events": [EVENT], "unknown": "survives"}


def test_a_record_is_read():
    found = decode_events(orjson.dumps(RECORD))
    assert str(found.tenant_id) == TENANT
    assert [(e.type, e.data) for e in found.events] == [("notification.delivered", {"status": "x"})]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "no value"),
        (b"{", "value: Invalid JSON"),
        (orjson.dumps({**RECORD, "v": 2}), "v: "),
        (
            orjson.dumps({**RECORD, "events": [{**EVENT, "at": "2026-11-25T09:00:00"}]}),
            "events.0.at: ",
        ),
    ],
)
def test_what_is_not_one_is_refused(value, words):
    with pytest.raises(ValueError, match=words):
        decode_events(value)
