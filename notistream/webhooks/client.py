"""The HTTP client of webhooks: connects only to allowed addresses and follows no redirect."""

import asyncio
import logging
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from functools import partial
from ipaddress import ip_address

import aiohttp
from aiohttp.abc import AbstractResolver

from notistream.db.records import storable
from notistream.domain.webhook import CallResult, NoReply, Reply
from notistream.domain.webhook_address import Allowed, Target, address_error, target_of
from notistream.observability import metrics
from notistream.providers.http import asked_wait_s
from notistream.webhooks.names import Names

log = logging.getLogger(__name__)

TIMEOUT_S = 15.0
BODY_S = 2.0
KEPT_BYTES = 1024
RESOLVE_S = 3.0
AddressInfo = tuple[int, int, int, str, tuple[str | bytes | int, ...]]


class AddressRefused(OSError):
    """A tenant's URL led to an address that it may not reach."""


class Reach(Enum):
    """Which addresses a session may connect to.

    SECURE (https): public ones; ALLOWED (http): allowed ones; NAMED: any of an allowed host.
    """

    SECURE = "https"
    ALLOWED = "http"
    NAMED = "named"


@dataclass(frozen=True, slots=True)
class Answer:
    """The result of a call, and its duration."""

    result: CallResult
    duration_ms: float


class WebhookClient:
    """POSTs to tenants' URLs; `resolver` is for tests.

    Each address is checked when a socket is opened to it, after the look-up, so a name that changes
    its answer gains nothing (DNS rebinding). Proxies of the environment are ignored: a proxy would
    connect in our place, without this check.
    """

    def __init__(self, allowed: Allowed, *, resolver: AbstractResolver | None = None) -> None:
        self._allowed = allowed
        self._resolver = resolver or Names()
        self._sessions: dict[Reach, aiohttp.ClientSession] = {}

    async def refusal(self, url: str) -> str | None:
        """Return why this URL is refused, or None.

        A name that does not resolve now is accepted: it may resolve later.
        """
        try:
            target = target_of(url)
        except ValueError as exc:
            return str(exc)
        if self._reach(target) is Reach.NAMED:
            return None
        found = [target.host] if target.address else await self._resolve(target)
        reasons = (address_error(ip_address(a), self._allowed, secure=target.secure) for a in found)
        reason = next(filter(None, reasons), None)
        if reason:
            metrics.WEBHOOK_REFUSED.labels("registration").inc()
        return reason

    async def post(self, url: str, *, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Call once; every outcome is a value, and nothing is raised."""
        started = time.perf_counter()
        result = await self._judged(url, body, headers)
        return Answer(result, (time.perf_counter() - started) * 1000)

    async def aclose(self) -> None:
        """Close the pooled connections."""
        sessions, self._sessions = self._sessions, {}
        for session in sessions.values():
            await session.close()
        await self._resolver.close()

    async def _judged(self, url: str, body: bytes, headers: Mapping[str, str]) -> CallResult:
        try:
            target = target_of(url)
            async with asyncio.timeout(TIMEOUT_S):
                return await self._call(target, body, headers)
        except aiohttp.ClientConnectorError as exc:
            refused = isinstance(exc.os_error, AddressRefused)
            return NoReply(
                f"refused: the URL {exc.os_error}"
                if refused
                else f"no connection: {type(exc).__name__}"
            )
        except TimeoutError:
            return NoReply("no answer in time")
        except (aiohttp.ClientError, OSError) as exc:
            return NoReply(f"no answer: {type(exc).__name__}")
        except ValueError as exc:
            return NoReply(f"refused: the URL {exc}")
        except Exception as exc:
            log.exception("webhook call raised something unexpected")
            return NoReply(f"no answer: {type(exc).__name__}")

    async def _call(self, target: Target, body: bytes, headers: Mapping[str, str]) -> Reply:
        session = self._session(self._reach(target))
        async with session.post(
            target.url, data=body, headers=headers, allow_redirects=False
        ) as response:
            wait_s = asked_wait_s(response.headers)
            return Reply(response.status, wait_s, await _beginning(response))

    def _reach(self, target: Target) -> Reach:
        if target.host in self._allowed.hosts:
            return Reach.NAMED
        return Reach.SECURE if target.secure else Reach.ALLOWED

    def _session(self, reach: Reach) -> aiohttp.ClientSession:
        if reach not in self._sessions:
            connector = aiohttp.TCPConnector(
                limit=0,
                ttl_dns_cache=10,
                keepalive_timeout=15,
                resolver=self._resolver,
                socket_factory=(
                    None
                    if reach is Reach.NAMED
                    else partial(self._open_socket, reach is Reach.SECURE)
                ),
            )
            self._sessions[reach] = aiohttp.ClientSession(
                connector=connector,
                timeout=aiohttp.ClientTimeout(total=None),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
            )
        return self._sessions[reach]

    def _open_socket(self, secure: bool, found: AddressInfo) -> socket.socket:
        family, kind, protocol, _, place = found
        reason = address_error(ip_address(str(place[0])), self._allowed, secure=secure)
        if reason:
            metrics.WEBHOOK_REFUSED.labels("connect").inc()
            raise AddressRefused(reason)
        return socket.socket(family=family, type=kind, proto=protocol)

    async def _resolve(self, target: Target) -> list[str]:
        with suppress(OSError, TimeoutError, UnicodeError):
            async with asyncio.timeout(RESOLVE_S):
                found = await self._resolver.resolve(
                    target.host, target.url.port or 443, socket.AF_UNSPEC
                )
                return [entry["host"] for entry in found]
        return []


async def _beginning(response: aiohttp.ClientResponse) -> str:
    """Return the first bytes of an answer as text; errors while reading are ignored."""
    raw = bytearray()
    with suppress(aiohttp.ClientError, TimeoutError, OSError):
        async with asyncio.timeout(BODY_S):
            async for chunk in response.content.iter_any():
                raw += chunk
                if len(raw) > KEPT_BYTES:
                    break
    return storable(bytes(raw[:KEPT_BYTES]).decode("utf-8", "replace")) or ""
