"""Webhook calls are verified by Standard Webhooks, while secrets rotate and clocks differ."""

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook

from notistream.domain.webhook_signature import secret_of, signed_headers
from notistream_client import InvalidSignature, verify

BODY = json.dumps(
    {"type": "notification.delivered", "data": {"name": "Zoë"}}, ensure_ascii=False
).encode()
OLD, NEW, OTHER = (secret_of(bytes([n]) * 32) for n in range(3))
OWN = "a secret of our own"
NOW = 1_769_850_000


def signed(*secrets: str, at_s: int = NOW) -> dict[str, str]:
    return dict(signed_headers("msg_1", BODY, at_s=at_s, secrets=secrets))


@pytest.mark.parametrize(
    ("by", "known"),
    [
        ([OLD], OLD),
        ([OLD], [OLD]),
        ([NEW, OLD], OLD),
        ([NEW, OLD], NEW),
        ([OLD], [NEW, OLD]),
        ([NEW], [NEW, OLD]),
        ([OWN], OWN),
        ([OWN], secret_of(OWN.encode())),
        ([OWN, OLD], [OTHER, OWN]),
    ],
)
def test_a_call_that_one_of_the_secrets_signed(by: list[str], known: str | list[str]) -> None:
    event = verify(BODY, signed(*by), known, now_s=NOW)
    assert event == json.loads(BODY)


@pytest.mark.parametrize(
    "change",
    [
        {"webhook-id": "msg_2"},
        {"webhook-timestamp": str(NOW + 1)},
        {"webhook-signature": "v1,AAAA"},
        {"webhook-signature": ""},
        {"webhook-signature": "é ü"},
        {"webhook-timestamp": ""},
        {"webhook-timestamp": "-1"},
        {"webhook-timestamp": "٣"},
        {"webhook-timestamp": "1e9"},
    ],
)
def test_a_call_whose_headers_were_changed(change: dict[str, str]) -> None:
    with pytest.raises(InvalidSignature):
        verify(BODY, {**signed(OLD), **change}, OLD, now_s=NOW)


def test_another_body_another_secret_another_version_or_none() -> None:
    headers = signed(OLD)
    for body, secrets in ((BODY + b" ", [OLD]), (BODY, [OTHER]), (BODY, []), (b"", [OLD])):
        with pytest.raises(InvalidSignature):
            verify(body, headers, secrets, now_s=NOW)
    for gone in headers:
        with pytest.raises(InvalidSignature):
            verify(
                BODY,
                {name: value for name, value in headers.items() if name != gone},
                OLD,
                now_s=NOW,
            )
    other_version = {
        **headers,
        "webhook-signature": headers["webhook-signature"].replace("v1", "v1a"),
    }
    with pytest.raises(InvalidSignature):
        verify(BODY, other_version, OLD, now_s=NOW)


@pytest.mark.parametrize(
    ("ahead_s", "good"), [(0, True), (300, True), (-300, True), (301, False), (-301, False)]
)
def test_five_minutes_either_way(ahead_s: int, good: bool) -> None:
    headers = signed(OLD, at_s=NOW + ahead_s)
    if good:
        verify(BODY, headers, OLD, now_s=NOW)
    else:
        with pytest.raises(InvalidSignature):
            verify(BODY, headers, OLD, now_s=NOW)
    verify(BODY, headers, OLD, now_s=NOW, tolerance_s=301)


def test_header_names_in_any_case() -> None:
    verify(BODY, {name.title(): value for name, value in signed(OLD).items()}, OLD, now_s=NOW)


def test_a_secret_that_is_none() -> None:
    with pytest.raises(ValueError, match="base64"):
        verify(BODY, signed(OLD), "whsec_!", now_s=NOW)


@pytest.mark.parametrize("key", [bytes(range(24)), bytes(range(64)), b"\xff" * 33])
def test_it_agrees_with_the_library(key: bytes) -> None:
    secret, at = secret_of(key), datetime.now(UTC)
    library: Any = Webhook(secret)
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": library.sign("msg_1", at, BODY.decode()),
    }
    assert verify(BODY, headers, [OTHER, secret]) == library.verify(BODY, headers)
    assert verify(
        BODY, headers, "whsec_" + base64.b64encode(key).decode().rstrip("=")
    ) == json.loads(BODY)
