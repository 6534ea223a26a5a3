"""Decides, as a pure function, whether and when a call is repeated."""

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from notistream_client.call import Call

HttpResult = httpx.Response | httpx.RequestError
NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
HOPELESS = (
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
    httpx.DecodingError,
    httpx.TooManyRedirects,
)
PASSING = frozenset({502, 503, 504})


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """How often a call is sent, and the wait between attempts.

    The wait is random, up to 0.5, 1, 2, 4 … seconds, or what Retry-After asks for if that is
    longer. If it would exceed `longest_wait_s`, the call ends with the result of the last attempt.
    """

    attempts: int = 4
    first_wait_s: float = 0.5
    longest_wait_s: float = 30.0

    def backoff_s(self, failures: int, jitter: float) -> float:
        """The wait in seconds after this many failures; `jitter` is from 0 to 1."""
        return jitter * min(self.longest_wait_s, self.first_wait_s * 2.0 ** min(failures - 1, 30))


NO_RETRIES = Retries(attempts=1)


def next_wait_s(
    call: Call[Any],
    result: HttpResult,
    *,
    attempt: int,
    retries: Retries,
    jitter: float,
    now: datetime,
) -> float | None:
    """Seconds until the call is repeated; None if this result is final.

    `attempt` counts from 1.
    """
    if attempt >= retries.attempts or not _worth_another(call, result):
        return None
    wait_s = max(retry_after_s(result, now=now) or 0.0, retries.backoff_s(attempt, jitter))
    return wait_s if wait_s <= retries.longest_wait_s else None


def _worth_another(call: Call[Any], result: HttpResult) -> bool:
    if isinstance(result, httpx.RequestError):
        return isinstance(result, NEVER_SENT) or (call.safe and not isinstance(result, HOPELESS))
    if result.status_code == 429:  # refused before anything was done
        return True
    if result.status_code == 409:  # an earlier attempt is still being served
        return call.key is not None and b'"request_in_flight"' in result.content
    return call.safe and result.status_code in PASSING


def retry_after_s(result: HttpResult, *, now: datetime) -> float | None:
    """The wait in seconds that the header Retry-After asks for; None without one."""
    text = result.headers.get("Retry-After") if isinstance(result, httpx.Response) else None
    return parsed_wait_s(text, now=now)


def parsed_wait_s(text: str | None, *, now: datetime) -> float | None:
    """The seconds of a Retry-After, which holds seconds or a date; None if it is unreadable."""
    if not text:
        return None
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max((until.replace(tzinfo=until.tzinfo or UTC) - now).total_seconds(), 0.0)
