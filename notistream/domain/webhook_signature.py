"""Signatures of webhooks by Standard Webhooks: the key of a secret, and the headers of a call."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence

from notistream.domain.validation import nul_error

PREFIX = "whsec_"
KEY_BYTES = 32
LEAST_KEY, LEAST, LONGEST = 12, 16, 255


def secret_of(key: bytes) -> str:
    """The text of a key, in the form that Standard Webhooks libraries take."""
    return PREFIX + base64.b64encode(key).decode()


def key_of(secret: str) -> bytes:
    """The key that signs: the base64 after `whsec_`; of any other secret its UTF-8 bytes.

    Raises:
        ValueError: it begins with `whsec_`, and the rest is not base64.
    """
    if not secret.startswith(PREFIX):
        return secret.encode()
    encoded = secret.removeprefix(PREFIX).rstrip("=")
    try:
        return base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except binascii.Error:
        raise ValueError(f"after {PREFIX} there must be base64") from None


def secret_error(secret: str) -> str | None:
    """What is wrong with a caller's own secret."""
    if not LEAST <= len(secret) <= LONGEST:
        return f"must have {LEAST} to {LONGEST} characters"
    if error := nul_error(secret):
        return error
    try:
        key = key_of(secret)
    except ValueError as exc:
        return str(exc)
    return f"must stand for a key of at least {LEAST_KEY} bytes" if len(key) < LEAST_KEY else None


def signed_headers(
    webhook_id: str, body: bytes, *, at_s: int, secrets: Sequence[str]
) -> Mapping[str, str]:
    """The three headers; one signature for each secret that is live. `at_s`: seconds since 1970."""
    text = f"{webhook_id}.{at_s}.".encode() + body
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(at_s),
        "webhook-signature": " ".join(_signature(text, key_of(secret)) for secret in secrets),
    }


def _signature(text: bytes, key: bytes) -> str:
    return "v1," + base64.b64encode(hmac.new(key, text, hashlib.sha256).digest()).decode()
