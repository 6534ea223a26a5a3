"""Provider tokens: shares of the rate, leased by slot of the database's clock."""

from notistream.db.pool import Queryable
from notistream.db.queries import load
from notistream.delivery.ports import TokenGrant

SQL = load("tokens")


async def take(  # noqa: PLR0917 - one call, from the bucket
    db: Queryable, bucket: str, rate: float, wanted: int, ahead: int, after_s: float
) -> list[TokenGrant]:
    """Up to `wanted` tokens at `rate` per second, of the 100 ms slot in `after_s` seconds.

    Each of the `ahead` slots behind it gives at most half of what it has left.
    """
    rows = await db.fetch(
        *SQL["take"](bucket=bucket, rate=rate, wanted=wanted, ahead=ahead, after_s=after_s)
    )
    return [TokenGrant(row["begins_in"], row["ends_in"], row["tokens"]) for row in rows]
