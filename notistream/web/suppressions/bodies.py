"""Request bodies of the suppression list, and the entries they become."""

from dataclasses import dataclass
from typing import Annotated, Literal, Required

from pydantic import Field, TypeAdapter, with_config
from typing_extensions import TypedDict

from notistream.domain.suppression import SuppressionReason, address_error, category_error
from notistream.domain.validation import length_error, nul_error
from notistream.web.server.fields import STRICT, ChannelName, channel_name, refuse_wrong

MAX_NOTE = 1000


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


LISTING: TypeAdapter[Listing] = TypeAdapter(Listing)

SUPPRESSED: TypeAdapter[Suppressed] = TypeAdapter(Suppressed)

PUT_SUPPRESSION: TypeAdapter[PutSuppression] = TypeAdapter(PutSuppression)


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
