"""Recipient tokens in requests, and the inbox that a request means."""

from aiohttp import web

from notistream.domain.validation import recipient_id_error
from notistream.errors import FieldError, InvalidRequest
from notistream.web.server.context import RECIPIENT_TOKEN

PROTOCOL = "notistream.v1"
TOKEN_PROTOCOL = "notistream.token."  # noqa: S105 - what a token is offered behind
RECIPIENT_HEADER = "X-Recipient-ID"


def offered_protocols(request: web.Request) -> list[str]:
    """Return the subprotocols that a WebSocket client offers."""
    return [
        name.strip()
        for name in request.headers.get("Sec-WebSocket-Protocol", "").split(",")
        if name.strip()
    ]


def presented_token(request: web.Request) -> str | None:
    """Return the token: a header, or for browsers a query parameter or subprotocol."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    for name in offered_protocols(request):
        if name.startswith(TOKEN_PROTOCOL):
            return name.removeprefix(TOKEN_PROTOCOL)
    return request.query.get("token")


def meant_recipient(request: web.Request) -> str:
    """Return the token's recipient, or the one that a key's holder names; raises InvalidRequest."""
    if RECIPIENT_TOKEN in request:
        return request[RECIPIENT_TOKEN].recipient_id
    recipient_id = request.headers.get(RECIPIENT_HEADER)
    if recipient_id is None:
        raise InvalidRequest(
            [FieldError(f"/header/{RECIPIENT_HEADER}", "is required: the id of the recipient")]
        )
    wrong = recipient_id_error(recipient_id) or _encoding_error(recipient_id)
    if wrong:
        raise InvalidRequest([FieldError(f"/header/{RECIPIENT_HEADER}", wrong)])
    return recipient_id


def _encoding_error(text: str) -> str | None:
    try:
        text.encode()
    except UnicodeEncodeError:
        return "must be UTF-8"
    return None
