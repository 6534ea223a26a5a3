"""Provider tokens: shares of the rate, leased by slot of the database's clock."""

from notistream.db.pool import Queryable
from notistream.db.queries import load
from notistream.delivery.ports import TokenGrant

SQL = load("tokens")


async def take(db: Queryable, bucket: str, rate: float, wanted: int, ahead: int) -> list[TokenGrant]:
    """Up to `wanted` tokens at `rate` per second, from the present 100 ms slot and the `ahead` slots after it."""
    rows = await db.fetch(SQL["take"], bucket, rate, wanted, ahead)
    return [TokenGrant(row["begins_in"], row["ends_in"], row["tokens"]) for row in rows]
