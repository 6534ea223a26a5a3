"""Request bodies: their JSON shape as clients may send it, aliases included, and the way to a Draft."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Annotated, Any, Literal, Required, TypeVar

from pydantic import (
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    with_config,
)
from typing_extensions import TypedDict

from notistream.domain.draft import Draft
from notistream.domain.notification import OnUnknown, Wanted
from notistream.errors import FieldError, InvalidRequest
from notistream.web.server.fields import ChannelName, JsonObject, Moment, Text, Urgency
from notistream.web.server.pointers import refusal

T = TypeVar("T")
ASKED = frozenset(f.name for f in fields(Wanted))
STRICT = ConfigDict(strict=True, extra="forbid")


@with_config(STRICT)
class Said(TypedDict, total=False):
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
class Addressed(TypedDict, total=False):
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
class CreateNotification(Addressed, Said, total=False):
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


def apart(value: Any, validate: ValidatorFunctionWrapHandler) -> Any:
    """One bad item is a value beside its neighbours, a NotiStreamError, not the end of the batch."""
    try:
        return validate(value)
    except ValidationError as exc:
        return refusal(exc)


@with_config(STRICT)
class CreateBatch(TypedDict):
    """1 to 1000 notifications, each accepted or refused on its own."""

    notifications: Annotated[
        list[Annotated[CreateNotification, WrapValidator(apart)]],
        Field(min_length=1, max_length=1000),
    ]


CREATE: TypeAdapter[CreateNotification] = TypeAdapter(CreateNotification)
BATCH: TypeAdapter[CreateBatch] = TypeAdapter(CreateBatch)


def draft(wanted: CreateNotification) -> Draft:
    """The parsed request with its aliases resolved.

    Raises InvalidRequest where an alias contradicts.
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


def drafts(wanted: CreateBatch) -> Sequence[Draft | InvalidRequest]:
    """The items of a batch in order; what is wrong with one has pointers relative to that item."""
    return [_draft_or_refusal(item) for item in wanted["notifications"]]


def _draft_or_refusal(item: CreateNotification | InvalidRequest) -> Draft | InvalidRequest:
    if isinstance(item, InvalidRequest):
        return item
    try:
        return draft(item)
    except InvalidRequest as exc:
        return exc


def either(value: T | None, aliased: T | None, *, alias: str, of: str) -> T | None:
    """One of a field and its alias; both only where they say the same."""
    if aliased is None:
        return value
    if value is not None and value != aliased:
        raise InvalidRequest(
            [FieldError(f"/{alias}", f"is an alias of `{of}` and says something else; send one")]
        )
    return aliased
