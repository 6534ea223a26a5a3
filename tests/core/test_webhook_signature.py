"""Signatures of webhooks, judged by the public library of Standard Webhooks."""

import base64
import time

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from notistream.domain.webhook_signature import key_of, secret_error, secret_of, signed_headers
from notistream.webhooks.endpoints import new_secret

BODY = '{"type":"notification.delivered","data":{"text":"ü"}}'.encode()
PLAIN = "a secret of our own"


def headers(*secrets, body=BODY, at_s=None):
    return dict(
        signed_headers(
            "id-1", body, at_s=int(time.time()) if at_s is None else at_s, secrets=secrets
        )
    )


@pytest.mark.parametrize(
    "secret", ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_" + "QUJD" * 8]
)
def test_a_library_verifies_with_the_secret_as_it_is_shown(secret):
    assert Webhook(secret).verify(BODY, headers(secret))["type"] == "notification.delivered"


@pytest.mark.parametrize(
    "secret", [PLAIN, "geheimnis-für-alle", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec-no-prefix"]
)
def test_of_a_plain_secret_the_bytes_are_the_key(secret):
    for known in (
        secret.encode(),
        secret_of(key_of(secret)),
        "whsec_" + base64.b64encode(secret.encode()).decode(),
    ):
        Webhook(known).verify(BODY, headers(secret))


@pytest.mark.parametrize(
    "tampered",
    [
        {"body": BODY + b" "},
        {"body": BODY.replace(b"delivered", b"failed")},
        {"webhook-id": "id-2"},
        {"webhook-timestamp": str(int(time.time()) - 1)},
        {"webhook-signature": ""},
        {"webhook-signature": "v1," + base64.b64encode(b"x" * 32).decode()},
    ],
)
def test_tampering_is_noticed(tampered):
    body = tampered.pop("body", BODY)
    sent = {**headers(PLAIN, at_s=int(time.time())), **tampered}
    with pytest.raises(WebhookVerificationError):
        Webhook(PLAIN.encode()).verify(body, sent)


def test_another_secret_does_not_verify():
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret()).verify(BODY, headers(PLAIN))


def test_an_old_message_is_refused_by_its_timestamp():
    with pytest.raises(WebhookVerificationError, match="too old"):
        Webhook(PLAIN.encode()).verify(BODY, headers(PLAIN, at_s=int(time.time()) - 3600))


def test_during_a_rotation_both_secrets_verify():
    old, new = new_secret(), new_secret()
    sent = headers(new, old)
    assert len(sent["webhook-signature"].split(" ")) == 2
    for secret in (old, new):
        Webhook(secret).verify(BODY, sent)


@pytest.mark.parametrize(
    ("secret", "words"),
    [
        ("x" * 15, "16 to 255"),
        ("x" * 256, "16 to 255"),
        ("x" * 15 + "\0", "NUL"),
        ("whsec_" + "!" * 20, "base64"),
        ("whsec_" + "a" * 13, "base64"),
        ("whsec_QUJDREVGR0g=", "12 bytes"),
        ("x" * 16, None),
        ("x" * 255, None),
        ("whsec_" + "QUJD" * 4, None),
        ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS", None),
    ],
)
def test_own_secrets(secret, words):
    found = secret_error(secret)
    assert (found is None) if words is None else words in found
