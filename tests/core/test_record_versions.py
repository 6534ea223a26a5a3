"""Records of other versions on Kafka: what a newer one adds is ignored, what it changes is refused
with a reason.
"""

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from notistream.domain.event import decode_events
from notistream.kafka.dead_letter import FAILED_DELIVERY
from notistream.kafka.wake_up import decode_wake_up

ID = "01a20450-6039-768f-8b5f-5bb84f5117b6"
AT = "2026-11-25T09:00:00Z"
EVENT = {"id": ID, "type": "notification.delivered", "at": AT, "data": {"status": "delivered"}}
KINDS: dict[str, tuple[Callable[[bytes], Any], dict[str, Any]]] = {
    "wake-up": (decode_wake_up, {"v": 1, "id": ID, "seq": 3}),
    "events": (decode_events, {"v": 1, "tenant_id": ID, "events": [EVENT]}),
    "failed delivery": (
        FAILED_DELIVERY.validate_json,
        {
            "v": 1,
            "id": ID,
            "notification_id": ID,
            "tenant_id": ID,
            "channel": "sms",
            "attempts": 3,
            "chain": 1,
        },
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_fields_of_a_newer_version_are_ignored(kind: str) -> None:
    decode, record = KINDS[kind]
    newer = {**record, "trace": {"a": [1]}, "z": None}
    assert decode(orjson.dumps(newer)) == decode(orjson.dumps(record))


def test_fields_of_a_newer_event_are_ignored() -> None:
    decode, record = KINDS["events"]
    newer = {**record, "events": [{**EVENT, "source": "eu"}]}
    assert decode(orjson.dumps(newer)) == decode(orjson.dumps(record))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("version", [0, 2, "1", None])
def test_another_version_is_refused_with_the_reason(kind: str, version: object) -> None:
    """Its record goes to the dead letters, byte for byte, and is replayed once the newer version
    runs.
    """
    decode, record = KINDS[kind]
    with pytest.raises(ValueError, match=r"(?m)^v"):
        decode(orjson.dumps({**record, "v": version}))
    with pytest.raises(ValueError, match=r"(?m)^v"):
        decode(orjson.dumps({name: value for name, value in record.items() if name != "v"}))
