"""WebSockets that reconnect: status updates, and inbox messages without gaps."""

import asyncio
import json
import logging
import random
import ssl
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from notistream_client.answers import StatusUpdate
from notistream_client.bodies import Id
from notistream_client.call import API
from notistream_client.errors import TokenExpired, UnexpectedAnswer, Unreachable
from notistream_client.inbox import Inbox, owner
from notistream_client.loading import one
from notistream_client.records import InboxMessage
from notistream_client.requesters import AsyncRequester, refused
from notistream_client.retries import Retries, parsed_wait_s

log = logging.getLogger(__name__)

TOKEN_ENDED = 4001
PASSING = frozenset({429, 500, 502, 503, 504})
START = "00000000-0000-0000-0000-000000000000"
"""`since` of an inbox stream that begins with the first message."""
Address = Callable[[], str]


class _Connection(connect):
    """Does not follow redirects: they would send the key to another host."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


class Streams:
    """Events as they happen. An iterator ends with an error or when the caller leaves it."""

    def __init__(
        self,
        base_url: str,
        *,
        headers: Mapping[str, str],
        timeout_s: float,
        retries: Retries,
        tls: ssl.SSLContext | None,
        inbox: Inbox[AsyncRequester],
    ) -> None:
        parts = urlsplit(base_url)
        self._base = urlunsplit(
            (
                "wss" if parts.scheme == "https" else "ws",
                parts.netloc,
                parts.path.rstrip("/"),
                "",
                "",
            )
        )
        self._headers = headers
        self._timeout_s = timeout_s
        self._retries = retries
        self._tls: Mapping[str, Any] = {"ssl": tls} if tls and parts.scheme == "https" else {}
        self._inbox = inbox

    async def statuses(self) -> AsyncGenerator[StatusUpdate, None]:
        """Status updates from now on: of the recipient with a token, of the tenant with a key.

        Updates during an interruption are lost; ask `notifications.get` for the current status.
        """
        read = one(StatusUpdate)
        async with aclosing(self._frames(lambda: self._base + "/ws", {})) as frames:
            async for frame in frames:
                yield read(frame)

    async def inbox(
        self, recipient_id: str | None = None, *, since: Id | None = None
    ) -> AsyncGenerator[InboxMessage, None]:
        """Messages after the one with the id `since` (START: all), or from now on.

        Each message comes once and in order.
        """
        # Without a position, messages that arrive during an interruption would be missed.
        place = str(since) if since is not None else await self._newest(recipient_id)
        read = one(InboxMessage)
        path = f"{self._base}{API}/inbox/stream?"
        async with aclosing(
            self._frames(lambda: path + urlencode({"since": place}), owner(recipient_id))
        ) as frames:
            async for frame in frames:
                message = read(frame)
                place = message.id
                yield message

    async def _newest(self, recipient_id: str | None) -> str:
        page = await self._inbox.list(recipient_id, page_size=1).page()
        return page.data[0].id if page.data else START

    async def _frames(
        self, address: Address, headers: Mapping[str, str]
    ) -> AsyncGenerator[Any, None]:
        failures = 0
        while True:
            asked_s = 0.0
            try:
                async with self._connection(address(), headers) as socket:
                    async for frame in socket:
                        failures = 0
                        yield _object(frame)
            except InvalidStatus as exc:
                asked_s = _refusal_wait_s(exc)
            except ConnectionClosed as exc:
                if exc.rcvd is not None and exc.rcvd.code == TOKEN_ENDED:
                    raise TokenExpired(exc.rcvd.reason) from exc
            except ssl.SSLCertVerificationError as exc:
                raise Unreachable(f"{self._base}: {exc}") from exc
            except (OSError, InvalidHandshake) as exc:
                log.warning("the connection failed, trying again: %s", type(exc).__name__)
            failures += 1
            await asyncio.sleep(max(asked_s, self._retries.backoff_s(failures, random.random())))  # noqa: S311

    def _connection(self, address: str, headers: Mapping[str, str]) -> connect:
        # The library writes header fields in ISO 8859-1; recipient ids are sent in UTF-8.
        named = {
            name: value.encode().decode("latin-1")
            for name, value in {**self._headers, **headers}.items()
        }
        agent = named.pop("User-Agent", None)
        return _Connection(
            address,
            additional_headers=named,
            user_agent_header=agent,
            open_timeout=self._timeout_s,
            compression=None,
            **self._tls,
        )


def _object(frame: str | bytes) -> Any:
    try:
        return json.loads(frame)
    except ValueError as exc:
        raise UnexpectedAnswer("a WebSocket message is not JSON") from exc


def _refusal_wait_s(exc: InvalidStatus) -> float:
    """How long to wait before the next connection; raises ApiError if another is of no use."""
    response = exc.response
    asked_s = parsed_wait_s(response.headers.get("Retry-After"), now=datetime.now(UTC))
    if response.status_code in PASSING:
        return asked_s or 0.0
    raise refused(response.status_code, bytes(response.body or b""), retry_after_s=asked_s) from exc
