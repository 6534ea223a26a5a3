"""Dead letters as operators see them: JSON shapes of requests and answers, and what fills them."""

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, TypeAdapter, with_config
from typing_extensions import TypedDict

from notistream.db.dead_letters import DeadLetter, Filter, Kinds, WholeDeadLetter
from notistream.dead_letters.letters import Encoding, ReplayCount, readable
from notistream.web.server.fields import STRICT, KnownChannel, Moment, Text, either

AT_ONCE = 10_000
TENANT_HEADER = "X-Tenant-ID"


@with_config(STRICT)
class ReplayWanted(TypedDict, total=False):
    """Which dead letters to replay: those that match every given field and are not replayed yet."""

    tenant_id: UUID | None
    channel: Annotated[KnownChannel | None, Field(description="`inapp` is an alias of `in_app`.")]
    reason: Annotated[
        Text | None, Field(min_length=1, description="Part of the reason, in any case.")
    ]
    notification_id: UUID | None
    template: Annotated[
        Text | None, Field(min_length=1, description="Made from this template, by id or name.")
    ]
    since: Annotated[Moment | None, Field(description="Dead since this moment.")]
    until: Annotated[Moment | None, Field(description="Dead before or at this moment.")]
    limit: Annotated[
        int | None, Field(ge=1, le=AT_ONCE, description=f"At most so many now. Default {AT_ONCE}.")
    ]
    dry_run: Annotated[
        bool | None,
        Field(description="true: only say how many, and why they are dead. Default false."),
    ]


REPLAY_WANTED: TypeAdapter[ReplayWanted] = TypeAdapter(ReplayWanted)
FILTERS = tuple(f.name for f in fields(Filter) if f.name != "replayed")


def wanted_filter(wanted: ReplayWanted, tenant_id: UUID | None) -> Filter:
    """Return the filter of the request; `tenant_id` comes from its header."""
    given: Mapping[str, Any] = wanted
    tenant = either(
        wanted.get("tenant_id"), tenant_id, alias=f"header/{TENANT_HEADER}", of="tenant_id"
    )
    given = {**{name: given.get(name) for name in FILTERS}, "tenant_id": tenant}
    return Filter(**given)


class DeadLetterView(TypedDict):
    """A failed delivery, or a record that could not be decoded."""

    id: UUID
    status: Annotated[
        Literal["waiting", "replayed"], Field(description="`replayed`: it was queued again.")
    ]
    notification_id: Annotated[UUID | None, Field(description="null: an undecodable record.")]
    tenant_id: UUID | None
    channel: str
    reason: str
    attempts: Annotated[int, Field(description="Provider calls begun in this chain.")]
    chain: Annotated[int, Field(description="1, and 1 more per replay.")]
    topic: Annotated[
        str | None,
        Field(description="Where the record lay; null where no record brought the failure."),
    ]
    partition: int | None
    offset: int | None
    created_at: datetime
    replayed_at: datetime | None


class HeaderView(TypedDict):
    """A header of the record."""

    name: str
    value: str | None
    encoding: Annotated[Encoding, Field(description="Of `value`.")]


class CallView(TypedDict, total=False):
    """A provider call of the history."""

    chain: int
    number: int
    provider: str | None
    outcome: str
    error: str | None
    started_at: str | None
    duration_ms: float | None


class WholeDeadLetterView(DeadLetterView):
    """A dead letter with its history and the bytes of an undecodable record (UTF-8 or base64)."""

    history: Annotated[
        list[CallView], Field(description="Calls of this chain and of those before, oldest first.")
    ]
    notification_status: Annotated[str | None, Field(description="Where the notification is now.")]
    key: str | None
    key_encoding: Encoding
    value: str | None
    value_encoding: Encoding
    headers: list[HeaderView]


class DeadLetterPage(TypedDict):
    """Newest first; `next_cursor` is null on the last page."""

    data: list[DeadLetterView]
    next_cursor: str | None


class KindView(TypedDict):
    """How many dead letters of a channel have this reason."""

    channel: str
    reason: str
    undecodable: bool
    count: int


class ReplayView(TypedDict):
    """What was found and done."""

    dry_run: bool
    matched: int
    replayed: int
    skipped: Annotated[int, Field(description="Matched, but cannot be replayed: see each of them.")]
    remaining: Annotated[int, Field(description="Over the limit of one request: repeat it.")]
    kinds: Annotated[list[KindView], Field(description="The most frequent first, at most 100.")]


def entry(found: DeadLetter) -> DeadLetterView:
    return {
        "id": found.id,
        "status": "replayed" if found.replayed_at else "waiting",
        "notification_id": found.notification_id,
        "tenant_id": found.tenant_id,
        "channel": found.channel,
        "reason": found.reason,
        "attempts": found.attempts,
        "chain": found.chain,
        "topic": found.topic,
        "partition": found.partition,
        "offset": found.offset,
        "created_at": found.created_at,
        "replayed_at": found.replayed_at,
    }


def whole_entry(found: WholeDeadLetter) -> WholeDeadLetterView:
    key, key_encoding = readable(found.key)
    value, value_encoding = readable(found.value)
    headers = [(name, *readable(text)) for name, text in found.headers]
    history: Any = found.history
    return {
        **entry(found),
        "history": history,
        "notification_status": found.notification_status,
        "key": key,
        "key_encoding": key_encoding,
        "value": value,
        "value_encoding": value_encoding,
        "headers": [
            {"name": name, "value": text, "encoding": encoding} for name, text, encoding in headers
        ],
    }


def replayed(kinds: Kinds, outcome: ReplayCount, *, dry_run: bool) -> ReplayView:
    return {
        "dry_run": dry_run,
        "matched": kinds.total,
        "replayed": outcome.replayed,
        "skipped": outcome.skipped,
        "remaining": max(kinds.total - outcome.replayed - outcome.skipped, 0),
        "kinds": [
            {
                "channel": k.channel,
                "reason": k.reason,
                "undecodable": k.undecodable,
                "count": k.count,
            }
            for k in kinds.most
        ],
    }
