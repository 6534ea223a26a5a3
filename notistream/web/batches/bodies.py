"""The request body of a batch, and how it becomes drafts."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field, TypeAdapter, WrapValidator, with_config
from typing_extensions import TypedDict

from notistream.domain.draft import Draft
from notistream.errors import InvalidRequest
from notistream.web.notifications.bodies import CreateNotification, draft, error_as_item
from notistream.web.server.fields import STRICT


@with_config(STRICT)
class CreateBatch(TypedDict):
    """1 to 1000 notifications, each accepted or refused on its own."""

    notifications: Annotated[
        list[Annotated[CreateNotification, WrapValidator(error_as_item)]],
        Field(min_length=1, max_length=1000),
    ]


BATCH: TypeAdapter[CreateBatch] = TypeAdapter(CreateBatch)


def drafts(wanted: CreateBatch) -> Sequence[Draft | InvalidRequest]:
    """Return the items of a batch in order; pointers of a refusal are relative to its item."""
    return [_draft_or_refusal(item) for item in wanted["notifications"]]


def _draft_or_refusal(item: CreateNotification | InvalidRequest) -> Draft | InvalidRequest:
    if isinstance(item, InvalidRequest):
        return item
    try:
        return draft(item)
    except InvalidRequest as exc:
        return exc
