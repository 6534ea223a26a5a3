"""JSON answers: one orjson pass, and the headers that every JSON answer has."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import orjson
from aiohttp import web

JSON = "application/json"


def dump(value: Any) -> bytes:
    """Encode as JSON; UTC moments end in Z."""
    return orjson.dumps(value, option=orjson.OPT_UTC_Z, default=_plain)


def _plain(value: object) -> str:
    """Convert the database driver's UUID class, which orjson does not know."""
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(type(value).__name__)


def answer(
    value: Any,
    *,
    status: int = 200,
    location: str | None = None,
    content_type: str = JSON,
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    """Answer with `value` as JSON; caches must not store it."""
    sent = {"Content-Type": content_type, "Cache-Control": "no-store"}
    if location is not None:
        sent["Location"] = location
    if headers:
        sent.update(headers)
    return web.Response(body=dump(value), status=status, headers=sent)


def no_content() -> web.Response:
    """Answer 204."""
    return web.Response(status=204, headers={"Cache-Control": "no-store"})
