"""The request body of one message to many recipients, and how it becomes drafts."""

from collections.abc import Mapping
from typing import Annotated, Any, Required, cast

from pydantic import Field, TypeAdapter, WrapValidator, with_config

from notistream.domain.draft import Draft
from notistream.errors import FieldError, InvalidRequest
from notistream.web.notifications.bodies import (
    CreateNotification,
    MessageFields,
    RecipientFields,
    draft,
    error_as_item,
)
from notistream.web.server.fields import STRICT, JsonObject, either

MAX_RECIPIENTS = 1000


@with_config(STRICT)
class BulkRecipient(RecipientFields, total=False):
    """A recipient, with its own values for the template."""

    template_variables: Annotated[
        JsonObject | None, Field(description="Values for the template, over those of the message.")
    ]
    payload: Annotated[JsonObject | None, Field(description="Alias of `template_variables`.")]


@with_config(STRICT)
class CreateBulk(MessageFields, total=False):
    """One message to 1 to 1000 recipients, each accepted or refused on its own."""

    recipients: Required[
        Annotated[
            list[Annotated[BulkRecipient, WrapValidator(error_as_item)]],
            Field(min_length=1, max_length=MAX_RECIPIENTS),
        ]
    ]


OWN_FIELDS = tuple(f"/{name}" for name in BulkRecipient.__annotations__)

CREATE_BULK: TypeAdapter[CreateBulk] = TypeAdapter(CreateBulk)


def drafts(wanted: CreateBulk) -> list[Draft | InvalidRequest]:
    """Return a draft for each recipient, in order.

    Raises InvalidRequest if the message contradicts itself.
    """
    common: Mapping[str, Any] = {
        name: value
        for name, value in wanted.items()
        if name not in ("recipients", "template_variables", "payload")
    }
    variables = _variables(wanted)
    return [
        _draft(recipient, index, common, variables)
        for index, recipient in enumerate(wanted["recipients"])
    ]


def _draft(
    recipient: BulkRecipient | InvalidRequest,
    index: int,
    common: Mapping[str, Any],
    variables: JsonObject,
) -> Draft | InvalidRequest:
    if isinstance(recipient, InvalidRequest):
        return InvalidRequest(
            [FieldError(f"/recipients/{index}{e.pointer}", e.message) for e in recipient.errors]
        )
    try:
        own = _variables(recipient)
        return draft(
            cast(
                "CreateNotification",
                {
                    **common,
                    **{name: value for name, value in recipient.items() if name != "payload"},
                    "template_variables": {**variables, **own} if own else variables,
                },
            )
        )
    except InvalidRequest as exc:
        return exc


def _variables(of: CreateBulk | BulkRecipient) -> JsonObject:
    return (
        either(
            of.get("template_variables"),
            of.get("payload"),
            alias="payload",
            of="template_variables",
        )
        or {}
    )
