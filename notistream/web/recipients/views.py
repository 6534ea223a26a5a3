"""JSON shapes of recipients, and what fills them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from notistream.db.recipients import StoredRecipient
from notistream.recipients.erasure import Erased
from notistream.web.server.query import text_cursor


class RecipientView(TypedDict):
    """Where a recipient can be reached."""

    id: str
    email: str | None
    phone: str | None
    push_tokens: Annotated[list[str], Field(description="Oldest first.")]
    timezone: str
    locale: str | None
    created_at: datetime
    updated_at: datetime


class ErasedView(TypedDict):
    """What was erased."""

    notifications: Annotated[
        int, Field(description="Notifications without personal data now; they are still counted.")
    ]
    cancelled: Annotated[int, Field(description="Those among them that still waited.")]


class RecipientPage(TypedDict):
    """By id; `next_cursor` is null on the last page."""

    data: list[RecipientView]
    next_cursor: str | None


class DeviceTokenView(TypedDict):
    """A device token and whose it is."""

    token: str
    recipient_id: str
    user_id: Annotated[str, Field(description="The same as `recipient_id`.")]
    platform: Annotated[str | None, Field(description="As it was sent.")]


def recipient(stored: StoredRecipient) -> RecipientView:
    return {
        "id": stored.id,
        "email": stored.email,
        "phone": stored.phone,
        "push_tokens": stored.push_tokens,
        "timezone": stored.timezone,
        "locale": stored.locale,
        "created_at": stored.created_at,
        "updated_at": stored.updated_at,
    }


def recipient_page(found: Sequence[StoredRecipient], size: int) -> RecipientPage:
    """`found` has one more than `size` where the page is not the last."""
    return {
        "data": [recipient(stored) for stored in found[:size]],
        "next_cursor": text_cursor(found[size - 1].id) if len(found) > size else None,
    }


def erased(done: Erased) -> ErasedView:
    return {"notifications": done.notifications, "cancelled": done.cancelled}


def device_token(token: str, *, recipient_id: str, platform: str | None) -> DeviceTokenView:
    return {
        "token": token,
        "recipient_id": recipient_id,
        "user_id": recipient_id,
        "platform": platform,
    }
