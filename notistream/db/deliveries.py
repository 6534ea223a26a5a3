"""The delivery protocol: each step is one conditional statement; a loser changes no row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import orjson
from uuid_utils.compat import uuid7

from notistream.db.pool import Queryable
from notistream.db.queries import load
from notistream.db.records import storable
from notistream.delivery.ports import Origin, Parking, Turn
from notistream.domain.notification import (
    CHANNELS,
    NO_WISHES,
    AddressKind,
    Claimed,
    OnUnknown,
    Priority,
)
from notistream.domain.outcome import Finish, Step
from notistream.domain.preference import Preferences, preferences_from
from notistream.domain.recipient import device_mark
from notistream.kafka.outbox import OutboxEntry, outbox_entries

SQL = load("deliveries")
TIMER_GRACE = timedelta(seconds=5)
COMPUTED = frozenset(
    {
        "call_before",
        "claimed_clock",
        "devices",
        "on_unknown",
        "preferences",
        "preferences_fault",
        "priority",
        "recipient",
    }
)
"""Fields of `Claimed` that are not simply columns of the claim."""
COPIED = tuple(f.name for f in fields(Claimed) if f.name not in COMPUTED)


async def claim(
    db: Queryable, turns: Sequence[Turn], *, owner: int, lease: timedelta, call_before: float
) -> Mapping[UUID, Claimed]:
    """Claim for worker slot `owner`.

    Turns missing from the answer were taken or cancelled, or are stale.

    `call_before` is half a lease from now, on this process's monotonic clock.
    """
    rows = await db.fetch(*SQL["claim"](turns=turns, lease_token=uuid7(), owner=owner, lease=lease))
    clock = call_before - lease.total_seconds() / 2
    return {row["id"]: _claimed(row, clock, call_before) for row in rows}


def _claimed(row: asyncpg.Record, clock: float, call_before: float) -> Claimed:
    preferences, fault = wishes(row)
    devices = _devices(row) if row["push_tokens"] else ()
    return Claimed(
        **{name: row[name] for name in COPIED},
        devices=devices,
        recipient=row["recipient"]
        or (
            next(reversed(devices), None)
            if row["push_tokens"]
            else contact(row, row["channel"], row["recipient_id"])
        ),
        priority=Priority(row["priority"]),
        on_unknown=OnUnknown(row["on_unknown"]),
        preferences=preferences,
        preferences_fault=fault,
        claimed_clock=clock,
        call_before=call_before,
    )


def _devices(row: asyncpg.Record) -> Sequence[str]:
    """All devices but those that refused the message before and would refuse it again."""
    refused = row["refused_devices"] or ()
    return [token for token in row["push_tokens"] if device_mark(token) not in refused]


def wishes(row: asyncpg.Record) -> tuple[Preferences, str | None]:
    """The preferences, and why they cannot be read; the other claims are not affected."""
    if row["wishes"] is None:
        return NO_WISHES, None
    try:
        return preferences_from(row["wishes"], row["category_wishes"]), None
    except (AttributeError, KeyError, TypeError, ValueError) as exc:
        return NO_WISHES, repr(exc)


def contact(row: asyncpg.Record, channel: str, recipient_id: str | None) -> str | None:
    """The stored contact of `recipient_id` for the channel; of several devices the newest."""
    match CHANNELS[channel].address:
        case AddressKind.EMAIL:
            return str(row["email"]) if row["email"] else None
        case AddressKind.PHONE:
            return str(row["phone"]) if row["phone"] else None
        case AddressKind.DEVICE:
            return str(row["push_tokens"][-1]) if row["push_tokens"] else None
        case AddressKind.RECIPIENT_ID:
            return recipient_id


@dataclass(frozen=True, slots=True)
class Finishing:
    """A claimed delivery, how it ends, and the record that brought it, if known."""

    id: UUID
    lease_token: UUID
    end: Finish
    origin: Origin | None = None


@dataclass(frozen=True, slots=True)
class Changed:
    """Which notifications a step changed, and what is to be published for them."""

    ids: frozenset[UUID]
    entries: list[OutboxEntry]


async def finish(db: Queryable, items: Sequence[Finishing]) -> Changed:
    """End deliveries under their lease tokens; a missing id means that the lease was lost."""
    row = await db.fetchrow(*SQL["finish"](ends=[_end_row(item, item.end) for item in items]))
    assert row is not None
    return Changed(frozenset(row["finished"]), outbox_entries(row["entries"]))


def _end_row(item: Finishing, end: Finish) -> Mapping[str, Any]:
    origin = item.origin
    return {
        "id": item.id,
        "token": item.lease_token,
        "status": end.status,
        "reason": storable(end.reason),
        "delay": end.delay_s,
        "outcome": end.outcome,
        "error": storable(end.error),
        "provider": end.provider,
        "next_provider": end.next_provider,
        "provider_message_id": storable(end.provider_message_id),
        "duration_ms": end.duration_ms,
        "subject": storable(end.subject),
        "content": storable(end.content),
        "steps": _steps(end.steps),
        "dead_letter_id": uuid7(),
        "topic": origin.topic if origin else None,
        "partition": origin.partition if origin else None,
        "offset": origin.offset if origin else None,
    }


def _steps(steps: Sequence[Step]) -> str:
    """As JSON text: a list of lists would become an array of two dimensions."""
    return orjson.dumps([_step(step) for step in steps]).decode() if steps else "[]"


def _step(step: Step) -> Mapping[str, Any]:
    shown: dict[str, Any] = {
        "gate": step.gate,
        "verdict": step.verdict,
        "reason": storable(step.reason),
    }
    if step.inputs:
        shown["inputs"] = step.inputs
    if step.next_eligible_at:
        shown["next_eligible_at"] = step.next_eligible_at
    return shown


async def finish_late(db: Queryable, claimed: Claimed, end: Finish) -> Changed:
    """Record a stale worker's outcome; the id is returned if a success was still accepted."""
    row = await db.fetchrow(
        *SQL["finish_late"](
            id=claimed.id,
            chain=claimed.chain,
            attempts=claimed.attempts,
            outcome=end.outcome.value,
            provider=end.provider,
            provider_message_id=storable(end.provider_message_id),
        ),
    )
    assert row is not None
    return Changed(
        frozenset([claimed.id] if row["accepted"] else ()), outbox_entries(row["entries"])
    )


async def park(db: Queryable, items: Sequence[Parking]) -> Changed:
    """Make pending turns deferred, without using an attempt."""
    row = await db.fetchrow(
        *SQL["park"](
            turns=[
                {
                    "id": item.turn.id,
                    "seq": item.turn.seq,
                    "delay": item.delay_s,
                    "gate": item.gate,
                    "reason": item.reason,
                }
                for item in items
            ]
        )
    )
    assert row is not None
    return Changed(frozenset(row["parked"]), outbox_entries(row["entries"]))


@dataclass(frozen=True, slots=True)
class Queued:
    """What is to be published, and in how many seconds early turns are due."""

    entries: list[OutboxEntry]
    early: Mapping[Turn, float]


async def queue(db: Queryable, turns: Sequence[Turn]) -> Queued:
    """Make the turns that are due pending.

    Turns that no longer wait are ignored.
    """
    row = await db.fetchrow(*SQL["queue"](turns=turns))
    assert row is not None
    early = {Turn(UUID(e[0]), e[1]): float(e[2]) for e in row["early"] or ()}
    return Queued(outbox_entries(row["entries"]), early)


async def queue_due(
    db: Queryable, rooms: Mapping[tuple[str, str], int]
) -> tuple[int, list[OutboxEntry]]:
    """Queue what is due, oldest first, as many per (channel, priority) as `rooms` says.

    The count, and what is to be published.
    """
    lanes = [
        {"channel": channel, "priority": priority, "room": room}
        for (channel, priority), room in rooms.items()
    ]
    row = await db.fetchrow(*SQL["queue_due"](grace=TIMER_GRACE, lanes=lanes))
    assert row is not None
    return row["count"], outbox_entries(row["entries"])


@dataclass(frozen=True, slots=True)
class EndedLease:
    """A lease that has ended, and the notifications claimed under it."""

    token: UUID
    ids: Sequence[UUID]


async def lock_ended_leases(
    db: Queryable, *, limit: int, owner: int | None = None
) -> list[EndedLease]:
    """Leases that have ended and, when a worker starts, all that its slot `owner` left.

    They stay locked until the transaction ends.
    """
    rows = await db.fetch(*SQL["lock_ended_leases"](limit=limit, owner=owner))
    return [EndedLease(row["token"], row["ids"]) for row in rows]


@dataclass(frozen=True, slots=True)
class Orphan:
    """A notification whose worker never reported an outcome."""

    id: UUID
    priority: Priority
    attempts: int
    chain: int
    on_unknown: OnUnknown
    lease_token: UUID
    next_provider: str | None


async def orphans(db: Queryable, leases: Sequence[EndedLease]) -> list[Orphan]:
    """Notifications that are still processing under these leases."""
    rows = await db.fetch(
        *SQL["orphans"](
            ids=[i for lease in leases for i in lease.ids], tokens=[lease.token for lease in leases]
        ),
    )
    return [
        Orphan(
            r["id"],
            Priority(r["priority"]),
            r["attempts"],
            r["chain"],
            OnUnknown(r["on_unknown"]),
            r["lease_token"],
            r["next_provider"],
        )
        for r in rows
    ]


async def drop_leases(db: Queryable, leases: Sequence[EndedLease]) -> None:
    """Forget leases that are settled."""
    await db.fetch(*SQL["drop_leases"](tokens=[lease.token for lease in leases]))
