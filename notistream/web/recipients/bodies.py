"""Request bodies of recipients: contacts and device tokens."""

from dataclasses import dataclass, replace
from typing import Annotated, Required

from pydantic import Field, TypeAdapter, with_config
from typing_extensions import TypedDict

from notistream.domain.recipient import MAX_TOKENS, Contact, contact_errors
from notistream.domain.validation import name_error, recipient_id_error, token_error
from notistream.errors import FieldError, InvalidRequest
from notistream.web.server.fields import STRICT, either, refuse_wrong


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
    """A device of a recipient; a missing recipient is created."""

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
    """A device that must not be reached any more."""

    token: str


PUT_RECIPIENT: TypeAdapter[PutRecipient] = TypeAdapter(PutRecipient)
REGISTER_TOKEN: TypeAdapter[RegisterToken] = TypeAdapter(RegisterToken)
FORGET_TOKEN: TypeAdapter[ForgetToken] = TypeAdapter(ForgetToken)


def contact(wanted: PutRecipient) -> Contact:
    """Return the contact of a body; of a repeated token, the last place counts.

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
    """A device token and the recipient to give it to."""

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
