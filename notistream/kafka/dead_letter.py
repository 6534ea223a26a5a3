"""Records of dead-letter topics: failed deliveries, and records that could not be decoded."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from notistream.kafka.wake_up import UndecodableError, first_fault

EPOCH, FAR = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
Number = Annotated[int, Field(ge=0, le=2**31 - 1)]


Headers = Sequence[tuple[str, bytes | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Consumed:
    """A record as it was read: its place, when it was written, and its bytes."""

    topic: str
    partition: int
    offset: int
    at: datetime | None
    key: bytes | None
    value: bytes | None
    headers: Headers


class PastAttempt(TypedDict, total=False):
    """A provider call in the history of a failed delivery."""

    number: Number
    provider: str | None
    outcome: str
    error: str | None
    started_at: str | None
    duration_ms: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedDelivery:
    """A delivery that ended as failed, as its record on the dead-letter topic says.

    `topic`, `partition` and `offset` are of the record that brought it; None where no record did.
    """

    v: Literal[1]
    id: UUID
    notification_id: UUID
    tenant_id: UUID
    channel: str
    reason: str | None = None
    attempts: Number
    chain: Annotated[Number, Field(ge=1)]
    topic: str | None = None
    partition: Number | None = None
    offset: Annotated[int, Field(ge=0, le=2**63 - 1)] | None = None
    history: list[PastAttempt] = field(default_factory=list)
    created_at: Annotated[AwareDatetime, Field(ge=EPOCH, lt=FAR)] | None = None
    key: bytes | None = None
    """Of the record, not in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BadRecord:
    """A record that could not be decoded: where it lay, its bytes, and what is wrong with it."""

    id: UUID
    channel: str
    reason: str
    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Origin:
    """The headers that we add to an undecodable record, without their common first part."""

    topic: Annotated[str, Field(min_length=1, max_length=249)]
    partition: Number
    offset: Annotated[int, Field(ge=0, le=2**63 - 1)]
    reason: str
    id: UUID


FAILED_DELIVERY = TypeAdapter(FailedDelivery)
ORIGIN = TypeAdapter(_Origin)
ORIGIN_NAMES = ("dlq.topic", "dlq.partition", "dlq.offset", "dlq.reason", "dlq.id")
OVERSIZE = "dlq.oversize"
"""Header of an undecodable record that was too large for Kafka: how many bytes it had.

Only its row has them.
"""


def dead_letter(channel: str, record: Consumed) -> FailedDelivery | BadRecord:
    """What a record of the channel's dead-letter topic tells of.

    One that is neither form is itself a bad record.
    """
    try:
        return _undecodable(channel, record) or _failed(channel, record)
    except UndecodableError as exc:
        return BadRecord(
            id=id_of_place(record),
            channel=channel,
            reason=f"not a dead letter: {exc}",
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            key=record.key,
            value=record.value,
            headers=record.headers,
            created_at=record.at,
        )


def _undecodable(channel: str, record: Consumed) -> BadRecord | None:
    """The original had headers too, which may have the names of ours: ours come after them."""
    last = {name: place for place, (name, _) in enumerate(record.headers)}
    if ORIGIN_NAMES[-1] not in last:
        return None
    told = {
        name.removeprefix("dlq."): record.headers[last[name]][1]
        for name in ORIGIN_NAMES
        if name in last
    }
    ours = {last[name] for name in ORIGIN_NAMES if name in last}
    try:
        origin = ORIGIN.validate_strings(
            {name: (text or b"").decode() for name, text in told.items()}
        )
    except ValidationError as exc:
        raise UndecodableError(f"headers dlq.*: {first_fault(exc)}") from None
    except UnicodeDecodeError:
        raise UndecodableError("headers dlq.*: not UTF-8") from None
    return BadRecord(
        id=origin.id,
        channel=channel,
        reason=origin.reason,
        topic=origin.topic,
        partition=origin.partition,
        offset=origin.offset,
        key=record.key,
        value=record.value,
        headers=[h for place, h in enumerate(record.headers) if place not in ours],
        created_at=record.at,
    )


def _failed(channel: str, record: Consumed) -> FailedDelivery:
    try:
        found = FAILED_DELIVERY.validate_json(record.value or b"")
    except ValidationError as exc:
        raise UndecodableError(first_fault(exc)) from None
    if found.channel != channel:
        raise UndecodableError(f"channel: {found.channel[:50]!r} is not {channel}")
    return replace(found, key=record.key)


def time_of(timestamp_s: float | None) -> datetime | None:
    """When a record was written, as far as it says: its producer may have written anything."""
    try:
        return datetime.fromtimestamp(timestamp_s, UTC) if timestamp_s and timestamp_s > 0 else None
    except (ValueError, OverflowError, OSError):
        return None


def id_of_place(record: Consumed) -> UUID:
    """A UUIDv7 that is the same whenever the record is read."""
    place = f"{record.topic}:{record.partition}:{record.offset}"
    millis = max(int(record.at.timestamp() * 1000), 0) if record.at else 0
    number = millis << 80 | int.from_bytes(sha256(place.encode()).digest()[:10], "big")
    return UUID(int=number & ~(0xF << 76 | 0x3 << 62) | 0x7 << 76 | 0x2 << 62)
