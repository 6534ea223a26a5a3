"""What is refused at the door, and where the error points."""

from datetime import UTC, datetime, timedelta

import pytest

from notistream.domain.draft import Draft, check
from notistream.domain.notification import CHANNELS

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
LIMITS = {name: channel.max_length for name, channel in CHANNELS.items()}
SMS = {"channel": "sms", "recipient": "+90500000000", "content": "Your code is 1234"}


def pointers(**fields):
    return [e.pointer for e in check(Draft(**{**SMS, **fields}), now=NOW, limits=LIMITS)]


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"recipient": "+905000000000"},
        {"content": "ş" * 160},
        {"channel": "email", "recipient": "a@test.com", "content": "x" * 10_000},
        {"channel": "email", "recipient": "mehmet@example.com"},
        {"channel": "push", "recipient": "device-token-abc", "content": "x" * 4096},
        {"channel": "push", "recipient": "t" * 400},
        {"channel": "in_app", "recipient": None, "recipient_id": "user-123"},
        {"channel": "inapp", "recipient": "user-123"},
        {"recipient": None, "recipient_id": "user-123"},
        {"content": None, "template": "welcome"},
        {"scheduled_at": NOW - timedelta(days=9000)},
        {"expires_at": NOW + timedelta(seconds=1)},
    ],
)
def test_accepted(fields):
    assert pointers(**fields) == []


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"channel": "fax"}, "/channel"),
        ({"recipient": "0500"}, "/recipient"),
        ({"recipient": "+0500000000"}, "/recipient"),
        ({"recipient": "+90500000000\n"}, "/recipient"),
        ({"recipient": "+٩٠٥٠٠٠٠٠٠٠٠"}, "/recipient"),
        ({"channel": "email", "recipient": "not-an-address"}, "/recipient"),
        ({"channel": "email", "recipient": "a@b.com\r\nBcc: x@y.com"}, "/recipient"),
        ({"channel": "push", "recipient": "a\x00b"}, "/recipient"),
        ({"channel": "push", "recipient": "t" * 5000}, "/recipient"),
        ({"recipient": None}, "/recipient"),
        ({"recipient_id": "u\nx"}, "/recipient_id"),
        ({"recipient_id": "u" * 256}, "/recipient_id"),
        ({"content": "x" * 161}, "/content"),
        ({"content": "a\x00b"}, "/content"),
        ({"content": "  "}, "/content"),
        ({"content": None}, "/content"),
        ({"subject": "a\r\nBcc: x"}, "/subject"),
        ({"idempotency_key": ""}, "/idempotency_key"),
        ({"idempotency_key": "k" * 300}, "/idempotency_key"),
        ({"idempotency_key": "a\x00"}, "/idempotency_key"),
        ({"template_variables": {"a": ["\x00"]}}, "/template_variables"),
        ({"metadata": {"\x00": 1}}, "/metadata"),
        ({"expires_at": NOW}, "/expires_at"),
        (
            {"expires_at": NOW + timedelta(hours=1), "scheduled_at": NOW + timedelta(hours=2)},
            "/expires_at",
        ),
    ],
)
def test_refused(fields, pointer):
    assert pointers(**fields) == [pointer]
