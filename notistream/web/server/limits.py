"""The request limit at the edge: who is over it is refused, and every answer says where its key stands."""

from collections.abc import Mapping
from functools import cache
from math import ceil
from uuid import UUID

from aiohttp import web

from notistream.access.request_limit import Standing
from notistream.domain.rate_limit import Rate
from notistream.errors import TooManyRequests
from notistream.web.server.context import RUNTIME, STANDING


async def meter(request: web.Request, key_id: UUID) -> None:
    """Count the request; raises TooManyRequests where its key is over the limit."""
    limit = request.app[RUNTIME].request_limit
    standing = await limit.take(key_id)
    if standing is None:
        return
    request[STANDING] = standing
    if not standing.admitted:
        raise TooManyRequests(
            f"this key may send {limit.rate} requests; repeat this one later",
            retry_after_s=_seconds(standing),
        )


def headers(rate: Rate, standing: Standing) -> Mapping[str, str]:
    """As draft-ietf-httpapi-ratelimit-headers has them.

    `r` is what is left as far as this process knows.
    """
    return {
        "RateLimit-Policy": _policy(rate),
        "RateLimit": f'"key";r={standing.remaining};t={_seconds(standing)}',
    }


@cache
def _policy(rate: Rate) -> str:
    return f'"key";q={rate.count};w={rate.window_s}'


def _seconds(standing: Standing) -> int:
    return max(ceil(standing.resets_in_s), 1)
