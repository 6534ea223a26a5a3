"""What HTTP answers mean, as data; and the session that providers share."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
import orjson

from notistream.providers.api import Checked, PermanentError, TemporaryError

TRANSIENT_STATUSES: Mapping[int, str] = {
    408: "request timeout",
    425: "too early",
    429: "too many requests",
    500: "internal server error",
    502: "bad gateway",
    503: "service unavailable",
    504: "gateway timeout",
}
MAX_ANSWER = 64 * 1024
MAX_RETRY_AFTER_S = 3600.0
ANSWER_S = 2.0
CHECK_S = 5.0


def proxy_for(url: str) -> str | None:
    """The proxy that the environment names for this address (HTTPS_PROXY, NO_PROXY, …)."""
    parts = urlsplit(url)
    return None if proxy_bypass(parts.hostname or "") else getproxies().get(parts.scheme)


def open_session(url: str, *, timeout_s: float) -> aiohttp.ClientSession:
    """A pooled session for one vendor's address.

    The guard limits how long a whole call may take. The proxy is looked up here, once: with
    `trust_env` aiohttp reads the environment and `~/.netrc` in a thread for every call, which costs
    more than the rest of a delivery, and it would send what it finds there.
    """
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            limit=0, limit_per_host=1024, ttl_dns_cache=30, keepalive_timeout=30
        ),
        timeout=aiohttp.ClientTimeout(total=None, connect=timeout_s / 2),
        json_serialize=lambda value: orjson.dumps(value).decode(),
        auto_decompress=False,
        trust_env=False,
        proxy=proxy_for(url),
    )


def raise_for_status(status: int, headers: Mapping[str, str]) -> None:
    """Pass any 2xx; otherwise say whether trying again can help.

    Raises:
        TemporaryError: 408, 425, 429 and every 5xx, with Retry-After where it was sent.
        PermanentError: everything else; redirects are not followed.
    """
    if 200 <= status < 300:
        return
    if status in TRANSIENT_STATUSES or status >= 500:
        reason = TRANSIENT_STATUSES.get(status, "server error")
        raise TemporaryError(
            f"HTTP {status} {reason}", retry_after_s=asked_wait_s(headers), throttled=status == 429
        )
    raise PermanentError(f"HTTP {status} refused")


def asked_wait_s(headers: Mapping[str, str]) -> float | None:
    """How long an answer asks to wait; see `retry_after_s`."""
    return retry_after_s(headers.get("Retry-After"), now=answered_at(headers))


def retry_after_s(value: str | None, *, now: datetime) -> float | None:
    """Seconds of a Retry-After header, delta or date.

    Between 0 and one hour, None where it is unreadable.
    """
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            at = parsedate_to_datetime(value)
        except ValueError:
            return None
        seconds = ((at if at.tzinfo else at.replace(tzinfo=UTC)) - now).total_seconds()
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_S) if seconds == seconds else None  # noqa: PLR0124 - NaN


def answered_at(headers: Mapping[str, str]) -> datetime:
    """When the other side answered, by its own clock if it names it.

    A date in Retry-After is of that clock too.
    """
    try:
        at = parsedate_to_datetime(headers.get("Date", ""))
    except ValueError:
        return datetime.now(UTC)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


async def read_answer(response: aiohttp.ClientResponse) -> object:
    """The JSON of an accepting answer; None if it is not JSON, too long, broken or late."""
    content, raw = response.content, bytearray()
    try:
        if content.is_eof():  # it came whole with its head, as small answers do
            raw += content.read_nowait()
        else:
            async with asyncio.timeout(ANSWER_S):
                async for chunk in content.iter_any():
                    raw += chunk
                    if len(raw) > MAX_ANSWER:
                        return None
        return orjson.loads(raw) if len(raw) <= MAX_ANSWER else None
    except (orjson.JSONDecodeError, aiohttp.ClientError, TimeoutError, OSError):
        return None


async def checked_connection(url: str, *, setting: str) -> Checked:
    """Whether the host of an address takes connections; if not, only a warning. For `check`."""
    good = "write it like https://example.com/path"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError as exc:
        return Checked("failed", f"{setting}: {exc}", good)
    if not host:
        return Checked("failed", f"{setting} names no host", good)
    if error := await _connection_error(host, port):
        return Checked(
            "warning",
            f"no connection to {host}:{port}: {error}",
            f"start the receiver, or correct {setting}; messages wait meanwhile",
        )
    return Checked("ok", f"{host}:{port} takes connections")


async def _connection_error(host: str, port: int) -> str | None:
    try:
        async with asyncio.timeout(CHECK_S):
            _, writer = await asyncio.open_connection(host, port)
    except (OSError, ValueError) as exc:  # TimeoutError is an OSError
        return str(exc) or "it did not answer in time"
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return None
