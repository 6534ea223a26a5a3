"""JSON shapes of the suppression list, and what fills them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from notistream.db.suppressions import StoredSuppression
from notistream.web.server.query import text_cursor


class SuppressionView(TypedDict):
    """An address that is not sent to."""

    channel: str
    address: Annotated[
        str,
        Field(
            description=(
                "E-mail addresses in lower case; of an erased recipient `sha256:…`, which still"
                " holds."
            )
        ),
    ]
    category: Annotated[str | None, Field(description="Only messages of this category; null: all.")]
    reason: str
    note: str | None
    created_at: datetime


class SuppressionPage(TypedDict):
    """By channel, address and category; `next_cursor` is null on the last page."""

    data: list[SuppressionView]
    next_cursor: str | None


def suppression(stored: StoredSuppression) -> SuppressionView:
    return {
        "channel": stored.channel,
        "address": stored.address,
        "category": stored.category or None,
        "reason": stored.reason,
        "note": stored.note,
        "created_at": stored.created_at,
    }


def suppression_page(found: Sequence[StoredSuppression], size: int) -> SuppressionPage:
    """`found` has one more than `size` where the page is not the last."""
    last = found[size - 1] if len(found) > size else None
    return {
        "data": [suppression(stored) for stored in found[:size]],
        "next_cursor": text_cursor(last.channel, last.address, last.category) if last else None,
    }
