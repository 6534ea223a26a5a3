"""WebSockets that are opened again when they end: status updates, and an inbox that misses nothing."""

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
"""`since` of an inbox stream: from the first message on."""
Address = Callable[[], str]


class _Connection(connect):
    """A redirect is not followed: it would take the key to another host."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


class Streams:
    """What comes, as it comes; each iterator ends only with an error, or when it is left."""

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
        """Status updates from now on, the recipient's with a token, otherwise the tenant's.

        What happens while the connection is away is not told later: what holds is what
        `notifications.get` says.
        """
        read = one(StatusUpdate)
        async with aclosing(self._frames(lambda: self._base + "/ws", {})) as frames:
            async for frame in frames:
                yield read(frame)

    async def inbox(
        self, recipient_id: str | None = None, *, since: Id | None = None
    ) -> AsyncGenerator[InboxMessage, None]:
        """Messages after the one with the id `since` (START: all), or from now on.

        Each once, in order.
        """
        # Without a place to go on from, what comes while the connection is away would be missed.
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
                log.warning("no connection, trying again: %s", type(exc).__name__)
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
        raise UnexpectedAnswer("a frame is not JSON") from exc


def _refusal_wait_s(exc: InvalidStatus) -> float:
    """How long to stay away; raises ApiError where coming again is of no use."""
    response = exc.response
    asked_s = parsed_wait_s(response.headers.get("Retry-After"), now=datetime.now(UTC))
    if response.status_code in PASSING:
        return asked_s or 0.0
    raise refused(response.status_code, bytes(response.body or b""), retry_after_s=asked_s) from exc
