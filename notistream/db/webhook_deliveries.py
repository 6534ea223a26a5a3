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
from notistream.db.queries import load, named
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
    """How a call ended; without `delay_s` the delivery has ended too."""

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


def lines(happened: Events) -> list[str]:
    """The events that endpoints can receive, as `enqueue` takes them.

    Raises:
        ValueError: an event has something that PostgreSQL cannot keep.
    """
    try:
        return [
            NUL.sub(
                r"\1",
                orjson.dumps(
                    {
                        "tenant_id": str(happened.tenant_id),
                        "id": str(event.id),
                        "type": event.type,
                        "at": event.at,
                        "data": event.data,
                    }
                ).decode(),
            )
            for event in happened.events
            if event.type in EVENT_TYPES
        ]
    except TypeError as exc:
        raise ValueError(str(exc)) from None


async def listening(db: Queryable, tenant_ids: Collection[UUID]) -> frozenset[UUID]:
    """Those tenants that have an active endpoint."""
    return frozenset(
        row["tenant_id"] for row in await db.fetch(*SQL["listening"](tenant_ids=list(tenant_ids)))
    )


async def enqueue(db: Queryable, events: Sequence[str]) -> int:
    """Queue events (from `lines`) for every endpoint that wants them, each once.

    How many deliveries are new.
    """
    return len(await db.fetch(*SQL["enqueue"](events=events)))


async def enqueue_test(
    db: Queryable,
    tenant_id: UUID,
    endpoint_id: UUID,
    *,
    event_id: UUID,
    kind: str,
    data: Mapping[str, Any],
) -> StoredDelivery | None:
    """Queue an event for one endpoint; None if it does not exist or is not active."""
    row = await db.fetchrow(
        *SQL["enqueue_test"](
            tenant_id=tenant_id, endpoint_id=endpoint_id, event_id=event_id, type=kind, data=data
        )
    )
    return _stored(row) if row else None


async def take(
    db: Queryable, *, limit: int, in_flight: Mapping[UUID, int], per_endpoint: int, lease: timedelta
) -> list[Due]:
    """Claim what is due: of each endpoint `per_endpoint` calls, less those in flight here."""
    token = uuid4()
    rows = await db.fetch(
        *SQL["take"](
            limit=limit,
            calls=[{"id": endpoint, "calls": calls} for endpoint, calls in in_flight.items()],
            per_endpoint=per_endpoint,
            lease_token=token,
            lease=lease,
        )
    )
    return [Due(**{name: row[name] for name in DUE}, lease=token) for row in rows]


async def finish(db: Queryable, calls: Sequence[Called]) -> frozenset[UUID]:
    """Record how calls ended; the ids of those whose lease was still theirs."""
    rows = await db.fetch(*SQL["finish"](calls=[_call_row(call) for call in calls]))
    return frozenset(row["id"] for row in rows)


def _call_row(called: Called) -> Mapping[str, Any]:
    return {
        **named(called),
        "error": storable(called.error),
        "call": NUL.sub(r"\1", orjson.dumps(called.call).decode()),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which deliveries a list shows; None means any."""

    status: str | None = None
    type: str | None = None


async def list_page(
    db: Queryable,
    tenant_id: UUID,
    endpoint_id: UUID,
    shown: Filter,
    *,
    before: UUID | None,
    limit: int,
) -> list[StoredDelivery]:
    """At most `limit`, newest first."""
    asked = {
        "tenant_id": tenant_id,
        "endpoint_id": endpoint_id,
        "before": before,
        "type": shown.type,
        "limit": limit,
    }
    if own := OWN_LISTS.get(shown.status or ""):
        rows = await db.fetch(*SQL[own](**asked))
    else:
        rows = await db.fetch(*SQL["list"](**asked, status=shown.status))
    return [_stored(row) for row in rows]


async def get(
    db: Queryable, tenant_id: UUID, endpoint_id: UUID, delivery_id: UUID
) -> StoredDelivery | None:
    row = await db.fetchrow(
        *SQL["get"](tenant_id=tenant_id, endpoint_id=endpoint_id, id=delivery_id)
    )
    return _stored(row) if row else None


async def redeliver(db: Queryable, tenant_id: UUID, endpoint_id: UUID, delivery_id: UUID) -> bool:
    """Make it due now; False if a call is under way, or there is no such delivery."""
    return (
        await db.fetchrow(
            *SQL["redeliver"](tenant_id=tenant_id, endpoint_id=endpoint_id, id=delivery_id)
        )
        is not None
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What happened from `since` to before `until`, and had ended so by a moment."""

    since: datetime
    until: datetime
    statuses: Sequence[str]
    ended_by: datetime


async def redeliver_range(
    db: Queryable, tenant_id: UUID, endpoint_id: UUID, meant: Ended, *, limit: int
) -> int:
    """Make up to `limit` of these due now; how many."""
    rows = await db.fetch(
        *SQL["redeliver_range"](
            tenant_id=tenant_id, endpoint_id=endpoint_id, **named(meant), limit=limit
        )
    )
    return len(rows)


async def moment(db: Queryable) -> datetime:
    """Now, by the database's clock."""
    row = await db.fetchrow(*SQL["moment"]())
    assert row is not None
    now: datetime = row["now"]
    return now


async def backlog(db: Queryable) -> tuple[int, float]:
    """How many wait, and for how many seconds the oldest has been due."""
    row = await db.fetchrow(*SQL["backlog"]())
    assert row is not None
    return row["waiting"], max(row["oldest_s"], 0.0)
