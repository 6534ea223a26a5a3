"""JSON shapes of range replays, for requests and answers, and what fills them."""

from datetime import datetime
from typing import Annotated, Literal, Required
from uuid import UUID

from pydantic import Field, TypeAdapter, with_config
from typing_extensions import TypedDict

from notistream.db.range_replays import Range, StoredReplay
from notistream.dead_letters.range_replay import MOST_PER_S, PER_S, Survey
from notistream.web.server.fields import STRICT, KnownChannel, Moment

Ended = Literal["delivered", "failed", "cancelled", "suppressed", "expired"]


@with_config(STRICT)
class RangeReplayWanted(TypedDict, total=False):
    """Which notifications to send again, and how fast."""

    since: Required[Annotated[Moment, Field(description="Accepted at or after this moment.")]]
    until: Annotated[Moment | None, Field(description="Accepted before this moment. Default: now.")]
    channel: Annotated[KnownChannel | None, Field(description="`inapp` is an alias of `in_app`.")]
    tenant_id: UUID | None
    statuses: Annotated[
        list[Ended] | None,
        Field(
            min_length=1,
            max_length=5,
            description=(
                "Where they have ended. "
                "Default: failed. `delivered` sends what was delivered a second time."
            ),
        ),
    ]
    rate: Annotated[
        float | None,
        Field(
            gt=0,
            le=MOST_PER_S,
            allow_inf_nan=False,
            description=f"Notifications per second. Default: {PER_S:g}.",
        ),
    ]
    id: Annotated[
        UUID | None,
        Field(
            description=(
                "Of the replay: the same id never sends a notification twice, and goes on with one"
                " that was stopped. Default: a new one."
            )
        ),
    ]
    dry_run: Annotated[bool | None, Field(description="Default true: only say what would be sent.")]


RANGE_REPLAY_WANTED: TypeAdapter[RangeReplayWanted] = TypeAdapter(RangeReplayWanted)


def wanted_range(wanted: RangeReplayWanted) -> Range:
    """The part of the request that says which."""
    return Range(
        since=wanted["since"],
        until=wanted.get("until"),
        channel=wanted.get("channel"),
        tenant_id=wanted.get("tenant_id"),
        statuses=tuple(sorted(set(wanted.get("statuses") or ("failed",)))),
    )


class RangeView(TypedDict):
    """Notifications accepted from `since` to before `until` that ended in one of these statuses."""

    since: datetime
    until: Annotated[datetime | None, Field(description="null: when the replay was made.")]
    channel: str | None
    tenant_id: UUID | None
    statuses: list[str]


class GroupView(TypedDict):
    """How many notifications of a channel, status and template are treated the same way."""

    channel: str
    status: str
    template: str | None
    verdict: Annotated[
        Literal["send", "replayed", "duplicate", "expired", "suppressed", "unwanted"],
        Field(
            description=(
                "send; or why not: replayed under this id, delivered after all, expired, suppressed"
                " address, turned off by the recipient."
            )
        ),
    ]
    count: int
    perhaps_again: Annotated[
        int, Field(description="Of those to send: may have reached their recipient before.")
    ]


class SurveyView(TypedDict):
    """What a replay would do now."""

    dry_run: Literal[True]
    range: RangeView
    total: int
    to_send: int
    skipped: int
    perhaps_again: int
    replayed_before: Annotated[int, Field(description="By the replay of this id.")]
    groups: list[GroupView]


class RangeReplayView(TypedDict):
    """A replay and how far it has come."""

    id: UUID
    state: Literal["running", "stopped", "finished"]
    range: RangeView
    rate: float
    total: Annotated[int, Field(description="Notifications in the range when it was started.")]
    queued: Annotated[int, Field(description="Queued again.")]
    skipped: int
    created_at: datetime
    updated_at: datetime


class RangeReplayPage(TypedDict):
    """Newest first; `next_cursor` is null on the last page."""

    data: list[RangeReplayView]
    next_cursor: str | None


def range_view(meant: Range) -> RangeView:
    return {
        "since": meant.since,
        "until": meant.until,
        "channel": meant.channel,
        "tenant_id": meant.tenant_id,
        "statuses": list(meant.statuses),
    }


def replay_view(found: StoredReplay) -> RangeReplayView:
    state: Literal["running", "stopped", "finished"] = found.state  # type: ignore[assignment]
    return {
        "id": found.id,
        "state": state,
        "range": range_view(found.range),
        "rate": found.rate,
        "total": found.total,
        "queued": found.queued,
        "skipped": found.skipped,
        "created_at": found.created_at,
        "updated_at": found.updated_at,
    }


def survey_view(survey: Survey, meant: Range) -> SurveyView:
    to_send = survey.count("send")
    return {
        "dry_run": True,
        "range": range_view(meant),
        "total": survey.total,
        "to_send": to_send,
        "skipped": survey.total - to_send,
        "perhaps_again": survey.perhaps_again,
        "replayed_before": survey.replayed_before,
        "groups": [
            {
                "channel": g.channel,
                "status": g.status,
                "template": g.template,
                "verdict": g.verdict,  # type: ignore[typeddict-item]
                "count": g.count,
                "perhaps_again": g.perhaps_again,
            }
            for g in survey.groups
        ],
    }
