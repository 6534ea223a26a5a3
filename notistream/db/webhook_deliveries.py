"""Deliveries of events to webhook endpoints: queued, taken, finished, shown, sent again."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import orjson

from notistream.db.pool import Queryable
from notistream.db.queries import load
from notistream.db.records import storable
from notistream.domain.event import Events
from notistream.domain.webhook import EVENT_TYPES

SQL = load("webhook_deliveries")
OWN_LISTS: Mapping[str, str] = {"failed": "list_failed", "pending": "list_pending"}
"""Statements of those statuses that have an index of their own."""
NUL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredDelivery:
    """A row of `webhook_deliveries`, without its lease."""

    id: UUID
    tenant_id: UUID
    endpoint_id: UUID
    event_id: UUID
    type: str
    at: datetime
    data: Mapping[str, Any]
    status: str
    attempts: int
    due_at: datetime | None
    response_status: int | None
    error: str | None
    history: Sequence[Mapping[str, Any]]
    created_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A delivery that was taken for a call.

    `repeated`: one that took it before never said how its call ended.
    """

    id: UUID
    tenant_id: UUID
    endpoint_id: UUID
    event_id: UUID
    type: str
    at: datetime
    data: Mapping[str, Any]
    attempts: int
    url: str
    secret: str
    old_secret: str | None
    failing_since: datetime | None
    now: datetime
    repeated: bool
    lease: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Called:
    """How a call ended; `delay_s` None: the delivery has ended."""

    id: UUID
    lease: UUID
    status: str
    delay_s: float | None
    response_status: int | None
    error: str | None
    call: Mapping[str, Any]


FIELDS = tuple(f.name for f in fields(StoredDelivery))
DUE = tuple(f.name for f in fields(Due) if f.name != "lease")


def _stored(row: asyncpg.Record) -> StoredDelivery:
    return StoredDelivery(**{name: row[name] for name in FIELDS})


def lines(told: Events) -> list[str]:
    """Those events that endpoints are told of, as `enqueue` takes them.

    Raises:
        ValueError: an event has something that PostgreSQL cannot keep.
    """
    try:
        return [
            NUL.sub(
                r"\1",
                orjson.dumps(
                    {
                        "tenant_id": str(told.tenant_id),
                        "id": str(event.id),
                        "type": event.type,
                        "at": event.at,
                        "data": event.data,
                    }
                ).decode(),
            )
            for event in told.events
            if event.type in EVENT_TYPES
        ]
    except TypeError as exc:
        raise ValueError(str(exc)) from None


async def listening(db: Queryable, tenant_ids: Collection[UUID]) -> frozenset[UUID]:
    """Those tenants that have an active endpoint."""
    return frozenset(row["tenant_id"] for row in await db.fetch(SQL["listening"], list(tenant_ids)))


async def enqueue(db: Queryable, events: Sequence[str]) -> int:
    """Queue events (from `lines`) for every endpoint that wants them, each once.

    How many deliveries are new.
    """
    return len(await db.fetch(SQL["enqueue"], events))


async def enqueue_test(
    db: Queryable,
    tenant_id: UUID,
    endpoint_id: UUID,
    *,
    event_id: UUID,
    kind: str,
    data: Mapping[str, Any],
) -> StoredDelivery | None:
    """Queue an event for one endpoint; None where that is not there or not active."""
    row = await db.fetchrow(SQL["enqueue_test"], tenant_id, endpoint_id, event_id, kind, data)
    return _stored(row) if row else None


async def take(
    db: Queryable, *, limit: int, in_flight: Mapping[UUID, int], per_endpoint: int, lease: timedelta
) -> list[Due]:
    """Claim what is due, of each endpoint at most `per_endpoint` together with what is in flight here."""
    token = uuid4()
    rows = await db.fetch(
        SQL["take"], limit, list(in_flight), list(in_flight.values()), per_endpoint, token, lease
    )
    return [Due(**{name: row[name] for name in DUE}, lease=token) for row in rows]


async def finish(db: Queryable, calls: Sequence[Called]) -> frozenset[UUID]:
    """Record how calls ended; the ids of those whose lease was still theirs."""
    rows = await db.fetch(
        SQL["finish"],
        [c.id for c in calls],
        [c.lease for c in calls],
        [c.status for c in calls],
        [c.delay_s for c in calls],
        [c.response_status for c in calls],
        [storable(c.error) for c in calls],
        [NUL.sub(r"\1", orjson.dumps(c.call).decode()) for c in calls],
    )
    return frozenset(row["id"] for row in rows)


async def list_page(
    db: Queryable,
    tenant_id: UUID,
    endpoint_id: UUID,
    *,
    before: UUID | None,
    status: str | None,
    kind: str | None,
    limit: int,
) -> list[StoredDelivery]:
    """At most `limit`, newest first."""
    if own := OWN_LISTS.get(status or ""):
        rows = await db.fetch(SQL[own], tenant_id, endpoint_id, before, kind, limit)
    else:
        rows = await db.fetch(SQL["list"], tenant_id, endpoint_id, before, status, kind, limit)
    return [_stored(row) for row in rows]


async def get(
    db: Queryable, tenant_id: UUID, endpoint_id: UUID, delivery_id: UUID
) -> StoredDelivery | None:
    row = await db.fetchrow(SQL["get"], tenant_id, endpoint_id, delivery_id)
    return _stored(row) if row else None


async def redeliver(db: Queryable, tenant_id: UUID, endpoint_id: UUID, delivery_id: UUID) -> bool:
    """Make it due now; False where a call is under way, or there is no such delivery."""
    return await db.fetchrow(SQL["redeliver"], tenant_id, endpoint_id, delivery_id) is not None


async def redeliver_range(
    db: Queryable,
    tenant_id: UUID,
    endpoint_id: UUID,
    *,
    since: datetime,
    until: datetime,
    statuses: Sequence[str],
    ended_by: datetime,
    limit: int,
) -> int:
    """Make up to `limit` of what happened from `since` to before `until` due now; how many."""
    return len(
        await db.fetch(
            SQL["redeliver_range"], tenant_id, endpoint_id, since, until, statuses, ended_by, limit
        )
    )


async def moment(db: Queryable) -> datetime:
    """Now, by the database's clock."""
    row = await db.fetchrow(SQL["moment"])
    assert row is not None
    now: datetime = row["now"]
    return now


async def backlog(db: Queryable) -> tuple[int, float]:
    """How many wait, and for how many seconds the one has been due that has been for longest."""
    row = await db.fetchrow(SQL["backlog"])
    assert row is not None
    return row["waiting"], max(row["oldest_s"], 0.0)
