"""Verifies webhook calls by their Standard Webhooks signatures."""

import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

from notistream_client.errors import InvalidSignature

PREFIX = "whsec_"
VERSION = "v1"
TOLERANCE_S = 300


def verify(
    body: bytes,
    headers: Mapping[str, str],
    secrets: str | Sequence[str],
    *,
    tolerance_s: int = TOLERANCE_S,
    now_s: float | None = None,
) -> Any:
    """The event of a call that one of the secrets has signed.

    Pass `body` as it arrived, not parsed and serialized again. While a secret is rotated, pass
    the new and the old one. `now_s` is the current time in seconds since 1970.

    Raises:
        InvalidSignature: No secret fits, or the timestamp is more than `tolerance_s` from now.
        ValueError: A secret begins with `whsec_` but does not go on in base64.
    """
    given = {name.lower(): value for name, value in headers.items()}
    identity, moment, signatures = (
        given.get(name, "") for name in ("webhook-id", "webhook-timestamp", "webhook-signature")
    )
    if not (moment.isascii() and moment.isdigit()):
        raise InvalidSignature(
            "the header webhook-timestamp is missing or is not a number of seconds"
        )
    if abs((time.time() if now_s is None else now_s) - int(moment)) > tolerance_s:
        raise InvalidSignature(
            "the header webhook-timestamp is too far from the time of this clock"
        )
    text = f"{identity}.{moment}.".encode() + body
    wanted = [
        _signature(text, _key(one)) for one in ([secrets] if isinstance(secrets, str) else secrets)
    ]
    if not any(
        hmac.compare_digest(one.encode(), other) for one in signatures.split() for other in wanted
    ):
        raise InvalidSignature("none of the secrets has signed the call")
    return json.loads(body)


def _signature(text: bytes, key: bytes) -> bytes:
    return f"{VERSION},".encode() + base64.b64encode(hmac.digest(key, text, hashlib.sha256))


def _key(secret: str) -> bytes:
    """The decoded base64 after `whsec_`; the UTF-8 bytes of any other secret."""
    if not secret.startswith(PREFIX):
        return secret.encode()
    encoded = secret.removeprefix(PREFIX).rstrip("=")
    try:
        return base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except binascii.Error:
        raise ValueError(f"a secret that begins with {PREFIX} must go on in base64") from None
