"""The request limit over HTTP: refuses requests over it, and adds RateLimit headers."""

from collections.abc import Mapping
from functools import cache
from math import ceil
from uuid import UUID

from aiohttp import web

from notistream.access.request_limit import RateLimitState
from notistream.domain.rate_limit import Rate
from notistream.errors import TooManyRequests
from notistream.web.server.context import RATE_LIMIT_STATE, RUNTIME


async def meter(request: web.Request, key_id: UUID) -> None:
    """Count the request; raises TooManyRequests if its key is over the limit."""
    limit = request.app[RUNTIME].request_limit
    state = await limit.take(key_id)
    if state is None:
        return
    request[RATE_LIMIT_STATE] = state
    if not state.admitted:
        raise TooManyRequests(
            f"this key may send {limit.rate} requests; repeat this one later",
            retry_after_s=_seconds(state),
        )


def headers(rate: Rate, state: RateLimitState) -> Mapping[str, str]:
    """Return headers of draft-ietf-httpapi-ratelimit-headers; `r` is this process's estimate."""
    return {
        "RateLimit-Policy": _policy(rate),
        "RateLimit": f'"key";r={state.remaining};t={_seconds(state)}',
    }


@cache
def _policy(rate: Rate) -> str:
    return f'"key";q={rate.count};w={rate.window_s}'


def _seconds(state: RateLimitState) -> int:
    return max(ceil(state.resets_in_s), 1)
