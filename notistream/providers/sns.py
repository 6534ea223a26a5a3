"""Amazon SNS: verifies what it posts, and confirms subscriptions to the topics that are allowed."""

import asyncio
import base64
import re
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import orjson

from notistream.providers.api import Callback, CallbackRefusedError, TemporaryError
from notistream.providers.http import MAX_ANSWER, open_session

HOST = re.compile(r"sns\.[a-z0-9-]{1,40}\.amazonaws\.com(\.cn)?\Z")
FETCH_S = 5.0
KEPT_S = 24 * 3600.0
MAX_CERTIFICATES = 32
NOTIFICATION = "Notification"
SIGNED: Mapping[str, tuple[str, ...]] = {
    NOTIFICATION: ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": (
        "Message",
        "MessageId",
        "SubscribeURL",
        "Timestamp",
        "Token",
        "TopicArn",
        "Type",
    ),
    "UnsubscribeConfirmation": (
        "Message",
        "MessageId",
        "SubscribeURL",
        "Timestamp",
        "Token",
        "TopicArn",
        "Type",
    ),
}
"""Fields of the string to sign, in order; a Subject may be missing."""
HASHES: Mapping[str, str] = {"1": "SHA1", "2": "SHA256"}

Fetch = Callable[[str], Awaitable[bytes]]


class SnsReader:
    """Reads callbacks of SNS; `fetch` is replaced in tests only."""

    def __init__(self, topic_arns: Collection[str], *, fetch: Fetch | None = None) -> None:
        self._topics = frozenset(topic_arns)
        self._fetch = fetch or fetched
        self._keys: dict[str, tuple[float, Any]] = {}

    async def message(self, callback: Callback) -> str | None:
        """The text that was published; None for messages about the subscription itself.

        Raises:
            CallbackRefusedError, TemporaryError: see `ReceivesCallbacks`.
        """
        envelope = _envelope(callback.body)
        if envelope["TopicArn"] not in self._topics:
            raise CallbackRefusedError("the topic is not among those allowed")
        await self._verify(envelope)
        if envelope["Type"] == NOTIFICATION:
            return envelope["Message"]
        if envelope["Type"] == "SubscriptionConfirmation":
            await self._get(_of_sns(envelope["SubscribeURL"]))
        return None

    async def _verify(self, envelope: Mapping[str, str]) -> None:
        # Slow to import, and only SNS needs it.
        from cryptography.exceptions import InvalidSignature  # noqa: PLC0415
        from cryptography.hazmat.primitives import hashes  # noqa: PLC0415
        from cryptography.hazmat.primitives.asymmetric import padding  # noqa: PLC0415

        name = HASHES.get(envelope["SignatureVersion"])
        if name is None:
            raise CallbackRefusedError("SignatureVersion must be 1 or 2")
        key = await self._key(_of_sns(envelope["SigningCertURL"]))
        try:
            signature = base64.b64decode(envelope["Signature"], validate=True)
            key.verify(
                signature, signed_text(envelope), padding.PKCS1v15(), getattr(hashes, name)()
            )
        except (ValueError, InvalidSignature):
            raise CallbackRefusedError("the signature is wrong") from None

    async def _key(self, url: str) -> Any:
        """The public key of a certificate, which is checked for its dates and kept for a day."""
        kept = self._keys.get(url)
        if kept is None or kept[0] < time.monotonic():
            kept = time.monotonic() + KEPT_S, _public_key(await self._get(url))
            if len(self._keys) >= MAX_CERTIFICATES:
                self._keys.clear()
            self._keys[url] = kept
        return kept[1]

    async def _get(self, url: str) -> bytes:
        try:
            return await self._fetch(url)
        except (OSError, aiohttp.ClientError) as exc:
            raise TemporaryError(f"SNS is not reachable: {type(exc).__name__}") from None


def signed_text(envelope: Mapping[str, str]) -> bytes:
    """What SNS has signed: names and values, a line each."""
    fields = (name for name in SIGNED[envelope["Type"]] if name in envelope)
    return "".join(f"{name}\n{envelope[name]}\n" for name in fields).encode()


def _envelope(body: bytes) -> Mapping[str, str]:
    """The fields of the envelope that are text; all that its type must have are there.

    Raises:
        CallbackRefusedError: it is not of SNS.
    """
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise CallbackRefusedError("the body is not a message of SNS") from None
    envelope = (
        {k: v for k, v in found.items() if isinstance(v, str)} if isinstance(found, dict) else {}
    )
    wanted = {
        *SIGNED.get(envelope.get("Type", ""), ("Type",)),
        "Signature",
        "SignatureVersion",
        "SigningCertURL",
    }
    if envelope.get("Type") not in SIGNED or wanted - {"Subject"} - envelope.keys():
        raise CallbackRefusedError("the body is not a message of SNS")
    return envelope


def _of_sns(url: str) -> str:
    """The address, if it is one of SNS over TLS: the body that names it is not trusted yet.

    Raises:
        CallbackRefusedError: it is another address.
    """
    try:
        parts = urlsplit(url)
        plain = url.isascii() and url.isprintable()
        ours = (
            plain
            and parts.scheme == "https"
            and parts.netloc == parts.hostname
            and HOST.match(parts.netloc)
        )
    except ValueError:
        ours = False
    if not ours:
        raise CallbackRefusedError("it names an address that is not one of SNS")
    return url


def _public_key(pem: bytes) -> Any:
    from cryptography import x509  # noqa: PLC0415 - heavy, and only for SNS
    from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: PLC0415

    try:
        certificate = x509.load_pem_x509_certificate(pem)
    except ValueError:
        raise CallbackRefusedError("its certificate cannot be read") from None
    if not certificate.not_valid_before_utc <= datetime.now(UTC) <= certificate.not_valid_after_utc:
        raise CallbackRefusedError("its certificate is out of date")
    key = certificate.public_key()
    if not isinstance(key, rsa.RSAPublicKey):
        raise CallbackRefusedError("its certificate has no RSA key")
    return key


async def fetched(url: str) -> bytes:
    """GET from SNS.

    Raises:
        OSError, aiohttp.ClientError: there is no answer, or none with 200.
    """
    async with (
        asyncio.timeout(FETCH_S),
        open_session(url, timeout_s=FETCH_S) as session,
        session.get(url, allow_redirects=False) as answer,
    ):
        if answer.status != 200:
            raise aiohttp.ClientPayloadError(f"HTTP {answer.status}")
        return await answer.content.read(MAX_ANSWER)
