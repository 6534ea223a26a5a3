"""What is done to accepted notifications, and what would become of one: JSON shapes, and what reads and fills them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, Required
from uuid import UUID

from pydantic import Field, TypeAdapter, with_config
from typing_extensions import TypedDict

from notistream.db.operations import Selection
from notistream.db.pauses import StoredPause
from notistream.errors import FieldError, InvalidRequest
from notistream.sending.changes import Recalled, Schedule
from notistream.sending.preview import Preview
from notistream.web.notifications.bodies import STRICT
from notistream.web.server.fields import KnownChannel, Moment, Text
from notistream.web.templates.views import SegmentsView, segments

Word = Annotated[Text, Field(min_length=1, max_length=255)]


@with_config(STRICT)
class RecallWanted(TypedDict, total=False):
    """Which notifications to recall: all that match every field given.

    At least a template, a batch or a category.
    """

    template: Annotated[Word | None, Field(description="Made from this template, by id or name.")]
    batch_id: UUID | None
    category: Word | None
    channel: Annotated[KnownChannel | None, Field(description="`inapp` is an alias of `in_app`.")]


@with_config(STRICT)
class RescheduleWanted(TypedDict, total=False):
    """A new time."""

    scheduled_at: Required[
        Annotated[Moment | None, Field(description="Not before this moment; null: now.")]
    ]
    expires_at: Annotated[
        Moment | None,
        Field(description="Not after this moment; null: never expires. Left out: as it was."),
    ]


@with_config(STRICT)
class ResolveWanted(TypedDict):
    """What somebody found out about a notification whose outcome is unknown, or wants done about it."""

    outcome: Annotated[
        Literal["delivered", "failed", "resend"],
        Field(
            description=(
                "delivered or failed end it; resend sends it again, which may be a duplicate."
            )
        ),
    ]


@with_config(STRICT)
class PauseWanted(TypedDict, total=False):
    """Why it is paused."""

    reason: Annotated[Text, Field(max_length=500, description="For the other operators.")]


RECALL: TypeAdapter[RecallWanted] = TypeAdapter(RecallWanted)
RESCHEDULE: TypeAdapter[RescheduleWanted] = TypeAdapter(RescheduleWanted)
RESOLVE: TypeAdapter[ResolveWanted] = TypeAdapter(ResolveWanted)
PAUSE: TypeAdapter[PauseWanted] = TypeAdapter(PauseWanted)


def selection(wanted: RecallWanted) -> Selection:
    """Raises InvalidRequest where it would be everything, or everything of a channel."""
    chosen = Selection(
        template=wanted.get("template"),
        batch_id=wanted.get("batch_id"),
        category=wanted.get("category"),
        channel=wanted.get("channel"),
    )
    if chosen.template is None and chosen.batch_id is None and chosen.category is None:
        raise InvalidRequest(
            [FieldError("/template", "is missing: give `template`, `batch_id` or `category`")]
        )
    return chosen


def schedule(wanted: RescheduleWanted) -> Schedule:
    return Schedule(
        at=wanted["scheduled_at"],
        expires_at=wanted.get("expires_at"),
        keeps_expiry="expires_at" not in wanted,
    )


class RecallView(TypedDict):
    """How many were cancelled."""

    recalled: int
    too_late: Annotated[int, Field(description="Matching ones that were sent, or are being sent.")]


class PauseView(TypedDict):
    """A channel, or one provider of it, to which nothing is sent."""

    channel: str
    provider: Annotated[str | None, Field(description="null: all of the channel's.")]
    reason: str
    paused_at: datetime


class PausePage(TypedDict):
    """All pauses, by channel and provider."""

    data: list[PauseView]
    next_cursor: None


class ResumeView(TypedDict):
    """What goes on."""

    channel: str
    provider: str | None
    released: Annotated[int, Field(description="Messages that were held back and are due now.")]


class PreviewStepView(TypedDict):
    """What one gate says."""

    gate: str
    verdict: Annotated[
        str,
        Field(
            description=(
                "passed, bypassed, fallback, deferred, suppressed, expired, failed; or `judged at"
                " delivery`."
            )
        ),
    ]
    reason: str
    inputs: Mapping[str, Any]
    next_eligible_at: datetime | None


class PreviewView(TypedDict):
    """What a create with this body would come to. Nothing was sent, stored or counted."""

    would: Annotated[
        Literal["send", "defer", "suppress", "expire", "fail", "wait"],
        Field(description="wait: for `scheduled_at`; the gates are asked as of that moment."),
    ]
    reason: str
    next_eligible_at: datetime | None
    subject: str | None
    content: Annotated[str | None, Field(description="The rendered text.")]
    html: Annotated[str | None, Field(description="Of an e-mail from a template with HTML.")]
    sms: Annotated[
        SegmentsView | None, Field(description="For channel sms: alphabet and number of segments.")
    ]
    provider: Annotated[
        str | None, Field(description="Who would be called; null: nobody could be.")
    ]
    steps: Annotated[
        list[PreviewStepView],
        Field(description="Every gate in order, also after one that stops it."),
    ]


def recalled(found: Recalled) -> RecallView:
    return {"recalled": found.recalled, "too_late": found.too_late}


def pause(stored: StoredPause) -> PauseView:
    return {
        "channel": stored.pause.channel,
        "provider": stored.pause.provider,
        "reason": stored.reason,
        "paused_at": stored.paused_at,
    }


def pauses(stored: Sequence[StoredPause]) -> PausePage:
    return {"data": [pause(one) for one in stored], "next_cursor": None}


def preview(found: Preview) -> PreviewView:
    return {
        "would": found.would.value,
        "reason": found.reason,
        "next_eligible_at": found.next_eligible_at,
        "subject": found.subject,
        "content": found.content,
        "html": found.html,
        "sms": segments(found.segments) if found.segments else None,
        "provider": found.provider,
        "steps": [
            {
                "gate": s.gate,
                "verdict": s.verdict,
                "reason": s.reason,
                "inputs": s.inputs,
                "next_eligible_at": s.next_eligible_at,
            }
            for s in found.steps
        ],
    }
