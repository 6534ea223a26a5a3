"""Request bodies around recipients: contacts, device tokens, suppressions, and what they come to."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Literal, Required

from pydantic import Field, TypeAdapter, with_config
from typing_extensions import TypedDict

from notistream.domain.notification import CHANNEL_NAMES, CHANNELS
from notistream.domain.recipient import MAX_TOKENS, Contact, contact_errors
from notistream.domain.suppression import SuppressionReason, address_error, category_error
from notistream.domain.validation import (
    length_error,
    name_error,
    nul_error,
    recipient_id_error,
    token_error,
)
from notistream.errors import FieldError, InvalidRequest
from notistream.web.notifications.bodies import STRICT, either
from notistream.web.server.fields import ChannelName

MAX_NOTE = 1000


@with_config(STRICT)
class PutRecipient(TypedDict, total=False):
    """A contact; what is left out is unset, except push tokens."""

    email: Annotated[str | None, Field(description="E-mail address.")]
    phone: Annotated[str | None, Field(description="E.164 phone number.")]
    push_tokens: Annotated[
        list[str] | None,
        Field(
            description=(
                f"At most {MAX_TOKENS} device tokens, oldest first. Left out: those that are stored"
                " stay."
            )
        ),
    ]
    timezone: Annotated[
        str | None, Field(description="IANA time zone, for quiet hours. Default UTC.")
    ]
    locale: Annotated[
        str | None, Field(description="Language tag (BCP 47), such as `en` or `pt-BR`.")
    ]


@with_config(STRICT)
class RegisterToken(TypedDict, total=False):
    """A device of a recipient, who is made where there is none."""

    recipient_id: Annotated[
        str | None, Field(description="Whose device. Required, here or as `user_id`.")
    ]
    user_id: Annotated[str | None, Field(description="Alias of `recipient_id`.")]
    token: Required[Annotated[str, Field(description="What the push service calls the device.")]]
    platform: Annotated[
        str | None, Field(description="Such as `ios` or `android`; left out: as it was.")
    ]


@with_config(STRICT)
class ForgetToken(TypedDict):
    """A device that is not to be reached any more."""

    token: str


@with_config(STRICT)
class Listing(TypedDict, total=False):
    """Why an address is on the suppression list."""

    reason: Annotated[
        Literal["bounce", "complaint", "unsubscribe", "manual"] | None,
        Field(description="Default manual."),
    ]
    note: Annotated[str | None, Field(description=f"For people; at most {MAX_NOTE} characters.")]
    category: Annotated[
        str | None, Field(description="Only messages of this category. Left out: all messages.")
    ]


@with_config(STRICT)
class Suppressed(TypedDict, total=False):
    """An address of a channel."""

    channel: Required[Annotated[ChannelName, Field(description="`inapp` is an alias of `in_app`.")]]
    address: Required[
        Annotated[
            str, Field(description="What the channel sends to; e-mail addresses in any case.")
        ]
    ]
    category: Annotated[
        str | None, Field(description="The entry for this category. Left out: the one for all.")
    ]


@with_config(STRICT)
class PutSuppression(Listing, total=False):
    """An address that must not be sent to."""

    channel: Required[Annotated[ChannelName, Field(description="`inapp` is an alias of `in_app`.")]]
    address: Required[
        Annotated[
            str, Field(description="What the channel sends to; e-mail addresses in any case.")
        ]
    ]


PUT_RECIPIENT: TypeAdapter[PutRecipient] = TypeAdapter(PutRecipient)
REGISTER_TOKEN: TypeAdapter[RegisterToken] = TypeAdapter(RegisterToken)
FORGET_TOKEN: TypeAdapter[ForgetToken] = TypeAdapter(ForgetToken)
LISTING: TypeAdapter[Listing] = TypeAdapter(Listing)
SUPPRESSED: TypeAdapter[Suppressed] = TypeAdapter(Suppressed)
PUT_SUPPRESSION: TypeAdapter[PutSuppression] = TypeAdapter(PutSuppression)


def contact(wanted: PutRecipient) -> Contact:
    """The contact that a body describes; a token that is named twice counts where it is named last.

    Raises:
        InvalidRequest: with a pointer to every wrong field.
    """
    tokens, zone = wanted.get("push_tokens"), wanted.get("timezone")
    found = Contact(
        email=wanted.get("email"),
        phone=wanted.get("phone"),
        locale=wanted.get("locale"),
        push_tokens=None if tokens is None else tuple(tokens),
        timezone="UTC" if zone is None else zone,
    )
    if errors := contact_errors(found):
        raise InvalidRequest(errors)
    if not found.push_tokens:
        return found
    return replace(found, push_tokens=tuple(dict.fromkeys(reversed(found.push_tokens)))[::-1])


@dataclass(frozen=True, slots=True)
class Device:
    """A device token and whose it is to be."""

    recipient_id: str
    token: str
    platform: str | None


def device(wanted: RegisterToken) -> Device:
    """Raises InvalidRequest."""
    recipient_id = either(
        wanted.get("recipient_id"), wanted.get("user_id"), alias="user_id", of="recipient_id"
    )
    platform = wanted.get("platform")
    if recipient_id is None:
        raise InvalidRequest([FieldError("/recipient_id", "is required")])
    place = "/recipient_id" if wanted.get("recipient_id") is not None else "/user_id"
    refuse_wrong(
        {
            place: recipient_id_error(recipient_id),
            "/token": token_error(wanted["token"]),
            "/platform": None if platform is None else name_error(platform),
        }
    )
    return Device(recipient_id, wanted["token"], platform)


@dataclass(frozen=True, slots=True)
class Suppression:
    """An address that is to be on the suppression list."""

    channel: str
    address: str
    category: str
    reason: SuppressionReason
    note: str | None


def suppression(
    channel: str, address: str, listing: Listing | PutSuppression, *, place: str = ""
) -> Suppression:
    """Raises InvalidRequest; `place` is the pointer above channel and address."""
    name, note = channel_name(channel, pointer=f"{place}/channel"), listing.get("note")
    category = listing.get("category")
    refuse_wrong(
        {
            f"{place}/address": address_error(name, address),
            "/category": None if category is None else category_error(category),
            "/note": None if note is None else nul_error(note) or length_error(note, MAX_NOTE),
        }
    )
    return Suppression(
        name, address, category or "", SuppressionReason(listing.get("reason") or "manual"), note
    )


def channel_name(word: str, *, pointer: str) -> str:
    """The name of a channel, from it or an alias; raises InvalidRequest."""
    refuse_wrong(
        {pointer: None if word in CHANNEL_NAMES else f"must be one of {', '.join(CHANNELS)}"}
    )
    return CHANNEL_NAMES[word]


def refuse_wrong(found: Mapping[str, str | None]) -> None:
    """Raise InvalidRequest where a pointer has a reason beside it."""
    if errors := [FieldError(pointer, message) for pointer, message in found.items() if message]:
        raise InvalidRequest(errors)
