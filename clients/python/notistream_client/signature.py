"""Whether a webhook call is NotiStream's: Standard Webhooks signatures, with every secret that is live."""

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
    """The event of a call, if one of the secrets has signed it.

    While one is rotated, pass the new and the old one.

    `body` as it came, not parsed and written again. `now_s` is in seconds since 1970.

    Raises:
        InvalidSignature: it is not signed so, or more than `tolerance_s` seconds ago or ahead.
    """
    given = {name.lower(): value for name, value in headers.items()}
    identity, moment, signatures = (
        given.get(name, "") for name in ("webhook-id", "webhook-timestamp", "webhook-signature")
    )
    if not (moment.isascii() and moment.isdigit()):
        raise InvalidSignature("the header webhook-timestamp is missing or no number of seconds")
    if abs((time.time() if now_s is None else now_s) - int(moment)) > tolerance_s:
        raise InvalidSignature("the header webhook-timestamp is too old, or ahead of this clock")
    text = f"{identity}.{moment}.".encode() + body
    wanted = [
        _signature(text, _key(one)) for one in ([secrets] if isinstance(secrets, str) else secrets)
    ]
    if not any(
        hmac.compare_digest(one.encode(), other) for one in signatures.split() for other in wanted
    ):
        raise InvalidSignature("no signature of the call is one of these secrets'")
    return json.loads(body)


def _signature(text: bytes, key: bytes) -> bytes:
    return f"{VERSION},".encode() + base64.b64encode(hmac.digest(key, text, hashlib.sha256))


def _key(secret: str) -> bytes:
    """The base64 after `whsec_`; of any other secret its UTF-8 bytes."""
    if not secret.startswith(PREFIX):
        return secret.encode()
    encoded = secret.removeprefix(PREFIX).rstrip("=")
    try:
        return base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except binascii.Error:
        raise ValueError(f"a secret that begins with {PREFIX} must go on in base64") from None
