"""Bodies and answers around inboxes, tokens and status updates."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, NotRequired
from uuid import UUID

from pydantic import Field, TypeAdapter, with_config
from typing_extensions import TypedDict

from notistream.db.inbox import InboxMessage
from notistream.domain.validation import MAX_RECIPIENT_ID
from notistream.web.server.fields import STRICT

TTL_S, LONGEST_TTL_S = 3600, 86_400


@with_config(STRICT)
class WantedToken(TypedDict):
    """Whom the token is to let in."""

    recipient_id: Annotated[str, Field(min_length=1, max_length=MAX_RECIPIENT_ID)]
    ttl: NotRequired[
        Annotated[
            int,
            Field(
                ge=1,
                le=LONGEST_TTL_S,
                strict=True,
                description=f"Seconds until it expires; {TTL_S} where it is left out.",
            ),
        ]
    ]


WANTED_TOKEN = TypeAdapter(WantedToken)


class TokenView(TypedDict):
    """A recipient's token, for a browser or an app."""

    token: str
    expires_in: Annotated[int, Field(description="Seconds.")]


class InboxMessageView(TypedDict):
    """A message in an inbox; the same on the stream."""

    id: UUID
    notification_id: UUID
    recipient_id: str
    title: str | None
    body: str
    payload: Mapping[str, Any]
    read_at: datetime | None
    created_at: datetime


class InboxPage(TypedDict):
    """Newest first; `next_cursor` is null on the last page."""

    data: list[InboxMessageView]
    next_cursor: UUID | None


class UnreadView(TypedDict):
    """How many messages are unread."""

    unread: int


class StatusFrame(TypedDict):
    """A notification has come to a status; fields that are not known are left out."""

    id: Annotated[UUID, Field(description="Of the event; a repeated event has the same id.")]
    type: Annotated[str, Field(description="Such as `notification.delivered`.")]
    notification_id: UUID
    status: str
    timestamp: datetime
    channel: str
    priority: str
    attempts: int
    chain: int
    reason: NotRequired[str]
    recipient_id: NotRequired[str]
    batch_id: NotRequired[UUID]
    category: NotRequired[str]
    provider: NotRequired[str]
    provider_message_id: NotRequired[str]
    test: NotRequired[bool]


def message(stored: InboxMessage) -> InboxMessageView:
    return {
        "id": stored.id,
        "notification_id": stored.notification_id,
        "recipient_id": stored.recipient_id,
        "title": stored.title,
        "body": stored.body,
        "payload": stored.payload,
        "read_at": stored.read_at,
        "created_at": stored.created_at,
    }


def inbox_page(found: Sequence[InboxMessage], size: int) -> InboxPage:
    """`found` has one more than `size` where the page is not the last."""
    return {
        "data": [message(stored) for stored in found[:size]],
        "next_cursor": found[size - 1].id if len(found) > size else None,
    }
