"""Twilio's status callbacks: the signature, and what the statuses mean."""

import base64
import hmac
from collections.abc import Mapping, Sequence
from urllib.parse import parse_qs, parse_qsl, urlsplit, urlunsplit

from notistream.domain.receipt import ProviderReceipt, ReceiptState
from notistream.providers.api import Callback, CallbackRefusedError, UnreadableCallbackError
from notistream.providers.twilio_errors import ERRORS
from notistream.providers.vendor_errors import Kind

MAX_FIELDS = 200
STATES: Mapping[str, ReceiptState | None] = {
    "accepted": None,
    "scheduled": None,
    "queued": None,
    "sending": None,
    "sent": ReceiptState.SENT,
    "delivered": ReceiptState.DELIVERED,
    "read": ReceiptState.READ,
    "undelivered": ReceiptState.UNDELIVERED,
    "failed": ReceiptState.UNDELIVERED,
    "canceled": ReceiptState.UNDELIVERED,
}
"""None: nothing that `delivered` (accepted by the provider) does not say already."""


def signature(url: str, fields: Sequence[tuple[str, str]], auth_token: str) -> str:
    """What X-Twilio-Signature must be: HMAC-SHA1 over the URL and every field, sorted, base64."""
    text = url + "".join(name + value for name, value in sorted(set(fields)))
    return base64.b64encode(hmac.digest(auth_token.encode(), _bytes(text), "sha1")).decode()


def read(callback: Callback, *, url: str, auth_token: str) -> Sequence[ProviderReceipt]:
    """The receipt of a status callback that Twilio sent to `url`; see `ReceivesCallbacks`."""
    try:
        fields = parse_qsl(
            callback.body.decode(), keep_blank_values=True, max_num_fields=MAX_FIELDS
        )
    except ValueError:
        raise CallbackRefusedError("the body is not a form") from None
    called = f"{url}?{callback.query}" if callback.query else url
    claimed = _bytes(callback.headers.get("X-Twilio-Signature", ""))
    # Twilio itself leaves the port in or out; both are compared, so that the time says nothing.
    right = [signature(spelling, fields, auth_token).encode() for spelling in _spellings(called)]
    matches = [hmac.compare_digest(each, claimed) for each in right]
    if not any(matches):
        raise CallbackRefusedError("X-Twilio-Signature is missing or wrong")
    return _receipts(dict(fields), parse_qs(callback.query))


def _bytes(text: str) -> bytes:
    """As it came: what is no UTF-8 in a head is carried in surrogates."""
    return text.encode(errors="surrogateescape")


def _spellings(url: str) -> Sequence[str]:
    """The URL with its port, and without."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2].partition(":")[0]
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return tuple(urlunsplit(parts._replace(netloc=netloc)) for netloc in (host, f"{host}:{port}"))


def _receipts(
    fields: Mapping[str, str], query: Mapping[str, list[str]]
) -> Sequence[ProviderReceipt]:
    sid, status = fields.get("MessageSid"), fields.get("MessageStatus")
    if not sid or not status:
        raise UnreadableCallbackError("MessageSid and MessageStatus are missing")
    state = STATES.get(status)
    if state is None:
        return ()
    code = int(fields["ErrorCode"]) if fields.get("ErrorCode", "").isdecimal() else 0
    error = ERRORS.get(code)
    if state is ReceiptState.UNDELIVERED and error and error.kind is Kind.DEAD:
        state = ReceiptState.BOUNCED
    detail = (
        f"Twilio error {code}: {error.words if error else 'see its documentation'}"
        if code
        else None
    )
    return (
        ProviderReceipt(
            message_id=sid,
            state=state,
            detail=detail,
            address=fields.get("To"),
            key=query.get("key", [None])[0],
        ),
    )
