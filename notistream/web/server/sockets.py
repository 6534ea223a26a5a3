"""WebSockets: opens, keeps alive and closes them; their handlers decide what to send."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Coroutine
from contextlib import suppress

from aiohttp import ClientError, web
from yarl import URL

from notistream.errors import FieldError, InvalidRequest, Unauthorized, UpgradeRequired
from notistream.observability import metrics
from notistream.web.server.context import RECIPIENT_TOKEN
from notistream.web.server.ws_credentials import PROTOCOL, offered_protocols

log = logging.getLogger(__name__)

TOKEN_ENDED, TOO_SLOW, FAILED, RESTARTING = 4001, 4008, 1011, 1012
HEARTBEAT_S = 30.0
SEND_S = 30.0
CLOSE_S = 3.0
LARGEST_MESSAGE = 4096
OPEN = web.AppKey("notistream_sockets", set[web.WebSocketResponse])


def prepare(web_app: web.Application) -> None:
    """Track open sockets, and close them as soon as the server stops."""
    web_app[OPEN] = set()
    web_app.on_shutdown.append(_close_all)


async def _close_all(web_app: web.Application) -> None:
    sockets = web_app[OPEN]
    closing = [socket.close(code=RESTARTING, message=b"the server restarts") for socket in sockets]
    with suppress(TimeoutError):
        await asyncio.wait_for(asyncio.gather(*closing, return_exceptions=True), CLOSE_S)


def check(request: web.Request) -> None:
    """Refuse a request that cannot become a WebSocket, before the upgrade.

    Raises:
        UpgradeRequired: a plain request.
        InvalidRequest: it offers subprotocols, and none that is spoken here.
        Unauthorized: a page of another site, with nothing to show for itself.
    """
    offered = offered_protocols(request)
    if offered and PROTOCOL not in offered:
        raise InvalidRequest(
            [FieldError("/header/Sec-WebSocket-Protocol", f"must offer {PROTOCOL}")]
        )
    if request.method != "GET" or not _socket().can_prepare(request):
        raise UpgradeRequired
    anonymous = RECIPIENT_TOKEN not in request and "X-API-Key" not in request.headers
    if anonymous and not _same_origin(request):
        raise Unauthorized("a page of another origin needs a token")


def _same_origin(request: web.Request) -> bool:
    """Check the Origin header: browsers let any page open a WebSocket to any host."""
    origin = request.headers.get("Origin")
    try:
        return origin is None or URL(origin).authority == request.host
    except ValueError:
        return False


def _socket() -> web.WebSocketResponse:
    """Make a socket without compression, which would need most of a connection's memory."""
    return web.WebSocketResponse(
        heartbeat=HEARTBEAT_S,
        timeout=CLOSE_S,
        compress=False,
        max_msg_size=LARGEST_MESSAGE,
        protocols=(PROTOCOL,),
    )


async def accept(request: web.Request) -> web.WebSocketResponse:
    """Upgrade a request that passed `check`."""
    socket = _socket()
    await socket.prepare(request)
    request.app[OPEN].add(socket)
    return socket


async def send(socket: web.WebSocketResponse, frame: bytes, *, stream: str) -> None:
    """Send a JSON object; raises TimeoutError if the client does not read."""
    async with asyncio.timeout(SEND_S):
        await socket.send_frame(frame, web.WSMsgType.TEXT)
    metrics.SOCKET_FRAMES.labels(stream).inc()


async def run(
    request: web.Request,
    socket: web.WebSocketResponse,
    work: Coroutine[None, None, None],
    overrun: "asyncio.Future[None] | None" = None,
) -> web.WebSocketResponse:
    """Run `work` until the client leaves or is too slow, its token ends, or the server stops.

    Then close the socket with the reason.
    """
    reading, writing = asyncio.create_task(_read(socket)), asyncio.create_task(work)
    waited: set[asyncio.Future[None]] = {reading, writing}
    if overrun is not None:
        waited.add(overrun)
    try:
        done, _ = await asyncio.wait(
            waited, timeout=_left_s(request), return_when=asyncio.FIRST_COMPLETED
        )
        if reading not in done:
            code, words = _ending(done, writing)
            writing.cancel()
            await _closed(request, socket.close(code=code, message=words, drain=False))
    finally:
        request.app[OPEN].discard(socket)
        for task in (reading, writing):
            task.cancel()
        await asyncio.gather(reading, writing, return_exceptions=True)
    return socket


async def _read(socket: web.WebSocketResponse) -> None:
    """Read until the client closes; only pings are answered."""
    async for _ in socket:
        continue


def _left_s(request: web.Request) -> float | None:
    """Return how long the token is still valid; None without a token."""
    return (
        max(request[RECIPIENT_TOKEN].expires_at - time.time(), 0)
        if RECIPIENT_TOKEN in request
        else None
    )


def _ending(done: "set[asyncio.Future[None]]", writing: "asyncio.Task[None]") -> tuple[int, bytes]:
    if not done:
        return TOKEN_ENDED, b"the token has expired"
    error = writing.exception() if writing in done else None
    if writing not in done or isinstance(error, TimeoutError):
        metrics.SOCKETS_DROPPED.inc()
        return TOO_SLOW, b"too slow: connect again, and read faster"
    if error is not None and not isinstance(error, ConnectionError | ClientError):
        log.error("a WebSocket failed", exc_info=error)
    return FAILED, b"connect again"


async def _closed(request: web.Request, closing: Awaitable[object]) -> None:
    """Close the socket; cut off a client that does not read the close frame."""
    try:
        await asyncio.wait_for(closing, 2 * CLOSE_S)
    except (TimeoutError, ConnectionError, RuntimeError):
        if request.transport is not None:
            request.transport.abort()
