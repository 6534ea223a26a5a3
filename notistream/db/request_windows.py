"""Windows of HTTP requests: what processes reserve of each key's limit."""

from dataclasses import dataclass
from uuid import UUID

from notistream.db.pool import Queryable
from notistream.db.queries import load
from notistream.domain.rate_limit import Rate

SQL = load("request_windows")


@dataclass(frozen=True, slots=True)
class Reserved:
    """Requests of window `number` that this process may admit, for `ends_in` seconds.

    `unreserved` is what no process has reserved.
    """

    number: int
    granted: int
    unreserved: int
    ends_in: float


async def reserve(db: Queryable, key_id: UUID, rate: Rate, wanted: int) -> Reserved:
    """Take up to `wanted` of the key's current window; 0 where the limit is used up."""
    row = await db.fetchrow(
        *SQL["reserve"](key_id=key_id, wanted=wanted, count=rate.count, window_s=rate.window_s)
    )
    assert row is not None
    return Reserved(**dict(row))
