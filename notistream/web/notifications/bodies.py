"""The request body of a notification, aliases included, and how it becomes a Draft."""

from dataclasses import fields
from typing import Annotated, Any, Literal, Required, TypeVar

from pydantic import Field, TypeAdapter, ValidationError, ValidatorFunctionWrapHandler, with_config
from typing_extensions import TypedDict

from notistream.domain.draft import Draft
from notistream.domain.notification import OnUnknown, Wanted
from notistream.web.server.fields import (
    STRICT,
    ChannelName,
    JsonObject,
    Moment,
    Text,
    Urgency,
    either,
)
from notistream.web.server.pointers import refusal

T = TypeVar("T")
ASKED = frozenset(f.name for f in fields(Wanted))


@with_config(STRICT)
class MessageFields(TypedDict, total=False):
    """What to say, over which channel and when."""

    channel: Required[Annotated[ChannelName, Field(description="`inapp` is an alias of `in_app`.")]]
    content: Annotated[
        str | None,
        Field(
            description=(
                "The text; beside `template_id`, the fallback when rendering fails. At most 160"
                " characters (sms), 10,000 (email), 4,096 (push, in_app)."
            )
        ),
    ]
    subject: Annotated[
        str | None, Field(description="Subject of an e-mail, title of a push message.")
    ]
    template_id: Annotated[
        Text | None, Field(description="Id (UUID) or name of a template of the channel.")
    ]
    template_variables: Annotated[JsonObject | None, Field(description="Values for the template.")]
    payload: Annotated[JsonObject | None, Field(description="Alias of `template_variables`.")]
    locale: Annotated[
        str | None,
        Field(
            description="Language (BCP 47) of the text, such as pt-BR; left out, the recipient's."
        ),
    ]
    priority: Annotated[
        Urgency | None,
        Field(description="high, normal or low; or 1 to 10: 1–3 is high, 4–6 normal, 7–10 low."),
    ]
    scheduled_at: Annotated[Moment | None, Field(description="Not to be sent before this moment.")]
    expires_at: Annotated[Moment | None, Field(description="Not to be sent after this moment.")]
    category: Annotated[
        str | None, Field(description="What it is about, such as `marketing`; for preferences.")
    ]
    type: Annotated[
        str | None, Field(description="Echoed; becomes `category` unless one is given.")
    ]
    metadata: Annotated[
        JsonObject | None, Field(description="Kept and returned, never interpreted.")
    ]
    on_unknown: Annotated[
        Literal["resend", "hold"] | None,
        Field(
            description=(
                "What to do when nobody knows whether the provider took it: send again (default) or"
                " hold."
            )
        ),
    ]


@with_config(STRICT)
class RecipientFields(TypedDict, total=False):
    """Whom to reach."""

    recipient: Annotated[
        str | None,
        Field(
            description=(
                "Address: E.164 phone number (sms), e-mail address, device token (push), recipient"
                " id (in_app)."
            )
        ),
    ]
    recipient_address: Annotated[str | None, Field(description="Alias of `recipient`.")]
    recipient_id: Annotated[
        str | None,
        Field(
            description=(
                "A stored recipient. With an address too, the address wins and the id keys"
                " preferences and order."
            )
        ),
    ]


@with_config(STRICT)
class CreateNotification(RecipientFields, MessageFields, total=False):
    """One notification: a channel, whom to reach, and what to say."""

    idempotency_key: Annotated[
        str | None,
        Field(
            description=(
                "At most one notification per key and tenant, for 7 days; a repeated key answers"
                " 409."
            )
        ),
    ]


def error_as_item(value: Any, validate: ValidatorFunctionWrapHandler) -> Any:
    """Turn a bad item into an error value, so that the rest of the batch is still read."""
    try:
        return validate(value)
    except ValidationError as exc:
        return refusal(exc)


CREATE: TypeAdapter[CreateNotification] = TypeAdapter(CreateNotification)


def draft(wanted: CreateNotification) -> Draft:
    """Return the draft of a request, with aliases resolved.

    Raises InvalidRequest if an alias contradicts its field.
    """
    given: dict[str, Any] = {
        name: value for name, value in wanted.items() if name in ASKED and value is not None
    }
    recipient = either(
        wanted.get("recipient"),
        wanted.get("recipient_address"),
        alias="recipient_address",
        of="recipient",
    )
    variables = either(
        wanted.get("template_variables"),
        wanted.get("payload"),
        alias="payload",
        of="template_variables",
    )
    if "on_unknown" in given:
        given["on_unknown"] = OnUnknown(given["on_unknown"])
    return Draft(
        **{**given, "recipient": recipient, "template_variables": variables or {}},
        template=wanted.get("template_id"),
    )
