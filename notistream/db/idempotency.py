"""Stored answers of requests that carried an Idempotency-Key header."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from notistream.db.pool import Queryable
from notistream.db.queries import load

SQL = load("idempotency")


@dataclass(frozen=True, slots=True)
class RequestKey:
    """A header key counts per tenant and route."""

    tenant_id: UUID
    route: str
    key: str


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """What was answered; `status` is None while the first request is in flight."""

    body_hash: bytes
    status: int | None
    headers: Mapping[str, str] | None
    body: bytes | None


OURS = StoredAnswer(b"", None, None, None)


async def begin(
    db: Queryable, key: RequestKey, body_hash: bytes, *, window: timedelta
) -> StoredAnswer | None:
    """OURS, or the answer of the request that has the key.

    None if that request has just given the key up.
    """
    if await db.fetchrow(
        *SQL["begin"](
            tenant_id=key.tenant_id,
            route=key.route,
            key=key.key,
            body_hash=body_hash,
            window=window,
        )
    ):
        return OURS
    row = await db.fetchrow(*SQL["find"](tenant_id=key.tenant_id, route=key.route, key=key.key))
    return (
        StoredAnswer(row["body_hash"], row["status"], row["headers"], row["body"]) if row else None
    )


async def complete(db: Queryable, key: RequestKey, answer: StoredAnswer) -> None:
    """Keep the answer for repetitions."""
    await db.fetch(
        *SQL["complete"](
            tenant_id=key.tenant_id,
            route=key.route,
            key=key.key,
            status=answer.status,
            headers=answer.headers,
            body=answer.body,
        ),
    )


async def abandon(db: Queryable, key: RequestKey) -> None:
    """Give the key back after a request that changed nothing."""
    await db.fetch(*SQL["abandon"](tenant_id=key.tenant_id, route=key.route, key=key.key))


async def forget_expired(db: Queryable) -> int:
    """Delete keys of headers and bodies whose window has passed; how many."""
    row = await db.fetchrow(*SQL["forget_expired"]())
    return int(row["count"]) if row else 0
