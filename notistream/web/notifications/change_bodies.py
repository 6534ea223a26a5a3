"""Request bodies for changes of accepted notifications, and the commands they become."""

from typing import Annotated, Literal, Required
from uuid import UUID

from pydantic import Field, TypeAdapter, with_config
from typing_extensions import TypedDict

from notistream.db.operations import Selection
from notistream.errors import FieldError, InvalidRequest
from notistream.sending.changes import Schedule
from notistream.web.server.fields import STRICT, KnownChannel, Moment, Text

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
    """How to resolve a notification whose outcome is unknown."""

    outcome: Annotated[
        Literal["delivered", "failed", "resend"],
        Field(
            description=(
                "delivered or failed end it; resend sends it again, which may be a duplicate."
            )
        ),
    ]


RECALL: TypeAdapter[RecallWanted] = TypeAdapter(RecallWanted)

RESCHEDULE: TypeAdapter[RescheduleWanted] = TypeAdapter(RescheduleWanted)

RESOLVE: TypeAdapter[ResolveWanted] = TypeAdapter(ResolveWanted)


def selection(wanted: RecallWanted) -> Selection:
    """Raises InvalidRequest if it would select everything, or a whole channel."""
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
