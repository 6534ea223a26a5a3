"""JSON shapes of pauses, and what fills them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from notistream.db.pauses import StoredPause


class PauseView(TypedDict):
    """A channel, or one provider of it, to which nothing is sent."""

    channel: str
    provider: Annotated[str | None, Field(description="null: all of the channel's.")]
    reason: str
    paused_at: datetime


class PausePage(TypedDict):
    """All pauses, by channel and provider."""

    data: list[PauseView]
    next_cursor: None


class ResumeView(TypedDict):
    """A resumed channel or provider."""

    channel: str
    provider: str | None
    released: Annotated[int, Field(description="Messages that were held back and are due now.")]


def pause(stored: StoredPause) -> PauseView:
    return {
        "channel": stored.pause.channel,
        "provider": stored.pause.provider,
        "reason": stored.reason,
        "paused_at": stored.paused_at,
    }


def pauses(stored: Sequence[StoredPause]) -> PausePage:
    return {"data": [pause(one) for one in stored], "next_cursor": None}
