"""Request bodies: checks their media type, size, time and syntax, and parses them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from typing import TypeVar
from urllib.parse import parse_qsl

import orjson
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from multidict import MultiDict
from pydantic import TypeAdapter, ValidationError, with_config
from typing_extensions import TypedDict

from notistream.errors import (
    BodyTooLarge,
    BodyTooSlow,
    Overloaded,
    UnreadableBody,
    UnsupportedMediaType,
)
from notistream.web.server.fields import STRICT
from notistream.web.server.pointers import refusal

T = TypeVar("T")

SMALL = 1024 * 1024
LARGE = 32 * SMALL
LARGE_AT_ONCE = 4
TIMEOUT_S = 10.0
FORM = "application/x-www-form-urlencoded"
FIELDS = 5_000


class LargeBodies:
    """Places for bodies over 1 MiB; few, because each stays in memory until the answer."""

    def __init__(self, places: int = LARGE_AT_ONCE) -> None:
        self._free = places

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place while the block runs; raises Overloaded if all are taken."""
        if not self._free:
            raise Overloaded
        self._free -= 1
        try:
            yield
        finally:
            self._free += 1


async def read_body(request: web.Request) -> bytes:
    """Return a JSON body of up to 1 MiB, unparsed.

    Raises:
        UnsupportedMediaType, BodyTooLarge, BodyTooSlow: before more than the limit is read.
    """
    return await _read(request, limit=SMALL, on_large=lambda: None)


async def read_raw(request: web.Request) -> bytes:
    """Return a body of up to 1 MiB of any media type.

    Raises:
        UnsupportedMediaType, BodyTooLarge, BodyTooSlow: as `read_body`.
    """
    return await _read(request, limit=SMALL, on_large=lambda: None, json=False)


@asynccontextmanager
async def large_body(request: web.Request, places: LargeBodies) -> AsyncIterator[bytes]:
    """Read a JSON body of up to 32 MiB; one over 1 MiB holds a place while the block runs.

    Raises:
        UnsupportedMediaType, BodyTooLarge, BodyTooSlow: as `read_body`.
        Overloaded: all places for large bodies are taken.
    """
    with ExitStack() as held:
        yield await _read(request, limit=LARGE, on_large=lambda: held.enter_context(places.place()))


async def read_form(request: web.Request) -> MultiDict[str]:
    """Return the fields of an HTML form of up to 1 MiB, in order.

    Raises:
        UnsupportedMediaType, BodyTooLarge, BodyTooSlow, UnreadableBody: before more than the limit
          is read.
    """
    if request.content_type != FORM:
        raise UnsupportedMediaType(f"send Content-Type: {FORM}")
    body = await _read(request, limit=SMALL, on_large=lambda: None, json=False)
    try:
        return MultiDict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=FIELDS))
    except ValueError:
        raise UnreadableBody("the form cannot be read") from None


async def _read(
    request: web.Request, *, limit: int, on_large: Callable[[], None], json: bool = True
) -> bytes:
    _check_headers(request, json=json)
    declared = request.content_length
    if declared is not None and declared > limit:
        raise _too_large(limit)
    if declared is not None and declared > SMALL:
        on_large()
    if request.content.is_eof() and (declared or 0) <= SMALL:
        body = request.content.read_nowait()
        if len(body) <= SMALL:
            return body
        raise _too_large(limit)
    try:
        async with asyncio.timeout(TIMEOUT_S):
            return await _gather(
                request, limit=limit, on_large=None if (declared or 0) > SMALL else on_large
            )
    except TimeoutError:
        raise BodyTooSlow(f"the body did not arrive within {TIMEOUT_S:g} s") from None
    except (HttpProcessingError, web.RequestPayloadError, ConnectionError):
        raise UnreadableBody("the body is cut off or wrongly framed") from None


async def _gather(
    request: web.Request, *, limit: int, on_large: Callable[[], None] | None
) -> bytes:
    body = bytearray()
    async for chunk in request.content.iter_any():
        body += chunk
        if len(body) > limit:
            raise _too_large(limit)
        if on_large is not None and len(body) > SMALL:
            on_large()
            on_large = None
    return bytes(body)


def _too_large(limit: int) -> BodyTooLarge:
    return BodyTooLarge(f"the body may have at most {limit} bytes")


def _check_headers(request: web.Request, *, json: bool) -> None:
    kind = request.headers.get("Content-Type", "")
    if json and kind != "application/json" and not _is_json(kind):
        raise UnsupportedMediaType(
            f"send Content-Type: application/json, not {kind[:100] or 'nothing'}"
        )
    if request.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
        raise UnsupportedMediaType("send the body without Content-Encoding")


def _is_json(content_type: str) -> bool:
    kind, *parameters = (part.strip().lower() for part in content_type.split(";"))
    charsets = [p.partition("=")[2].strip('" ') for p in parameters if p.startswith("charset")]
    json = kind == "application/json" or (
        kind.startswith("application/") and kind.endswith("+json")
    )
    return json and all(charset in ("utf-8", "utf8", "us-ascii") for charset in charsets)


def parse(adapter: TypeAdapter[T], body: bytes) -> T:
    """Parse a body with `adapter`, in one pass; pydantic limits nesting to about 200 levels.

    Raises:
        UnreadableBody: not JSON (RFC 8259), or nested too deeply.
        InvalidRequest: valid JSON that does not match the schema.
    """
    if b"NaN" in body or b"Infinity" in body:
        _refuse_non_json(body)
    try:
        return adapter.validate_json(body)
    except ValidationError as exc:
        raise refusal(exc) from None


def _refuse_non_json(body: bytes) -> None:
    """Pydantic reads NaN and Infinity as numbers; orjson keeps to the RFC."""
    try:
        orjson.loads(body)
    except orjson.JSONDecodeError as exc:
        raise UnreadableBody(f"Invalid JSON: {exc}") from None


@with_config(STRICT)
class Nothing(TypedDict):
    """An empty object."""


NOTHING: TypeAdapter[Nothing] = TypeAdapter(Nothing)


async def refuse_body(request: web.Request) -> None:
    """Accept no body or an empty object; raises InvalidRequest for anything else."""
    if request.can_read_body and (body := await read_body(request)):
        parse(NOTHING, body)
