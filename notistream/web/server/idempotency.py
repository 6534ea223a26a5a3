"""The Idempotency-Key header: serves a request once, then repeats its answer."""

import hashlib
import logging
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace

from aiohttp import web

from notistream.db.idempotency import RequestKey, StoredAnswer
from notistream.errors import DatabaseUnavailable, FieldError, InvalidRequest
from notistream.sending.idempotency import StoredAnswers
from notistream.web.server.context import CALLER, RUNTIME

log = logging.getLogger(__name__)
KEY = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?\Z")
KEPT_HEADERS = ("Content-Type", "Location")


async def once(
    request: web.Request, body: bytes, serve: Callable[[], Awaitable[web.Response]]
) -> web.Response:
    """Serve a new key; repeat the stored answer of a known one, marked as a repetition.

    A refused request changed nothing, so its key is free again for a corrected request. If the
    answer was lost, each notification still knows the route, key and body that it came with.

    Raises:
        InvalidRequest: the key is not usable.
        IdempotencyKeyReused, RequestInFlight: see `StoredAnswers.begin`.
    """
    text = request.headers.get("Idempotency-Key")
    if text is None:
        return await serve()
    if not KEY.match(text):
        raise InvalidRequest(
            [FieldError("/header/Idempotency-Key", "must be 1 to 255 printable ASCII characters")]
        )
    resource = request.match_info.route.resource
    assert resource is not None
    key = RequestKey(request[CALLER].tenant_id, f"{request.method} {resource.canonical}", text)
    replays = request.app[RUNTIME].stored_answers
    known = await replays.begin(key, body)
    if known is not None:
        return _again(known)
    digest = hashlib.sha256(body).hexdigest()[:32]
    request[CALLER] = replace(request[CALLER], request_key=f"{key.route} {digest} {text}")
    try:
        response = await serve()
    except DatabaseUnavailable:
        raise  # it may be committed: the key lapses, and a repetition then finds it
    except Exception:
        await _abandon(replays, key)
        raise
    await _complete(replays, key, response)
    return response


def _again(known: StoredAnswer) -> web.Response:
    headers = {**(known.headers or {}), "Idempotency-Replayed": "true"}
    return web.Response(body=known.body, status=known.status or 200, headers=headers)


async def _complete(replays: StoredAnswers, key: RequestKey, response: web.Response) -> None:
    """Keep the answer of a committed request; it is sent even if it cannot be kept."""
    assert isinstance(response.body, bytes)
    headers = {name: response.headers[name] for name in KEPT_HEADERS if name in response.headers}
    try:
        await replays.complete(key, status=response.status, headers=headers, body=response.body)
    except DatabaseUnavailable:
        log.warning("answer not kept", extra={"route": key.route})


async def _abandon(replays: StoredAnswers, key: RequestKey) -> None:
    try:
        await replays.abandon(key)
    except DatabaseUnavailable:
        log.warning("idempotency key not released, it will lapse", extra={"route": key.route})
