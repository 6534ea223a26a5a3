"""Answers around recipients: their JSON shapes, and stored values in these shapes."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field
from typing_extensions import TypedDict

from notistream.db.preferences import StoredPreferences
from notistream.db.recipients import StoredRecipient
from notistream.db.suppressions import StoredSuppression
from notistream.domain.notification import CHANNELS
from notistream.domain.preference import window_s
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


class QuietHoursView(TypedDict):
    """From `start` to before `end` in the recipient's zone."""

    start: str
    end: str


class FrequencyCapView(TypedDict):
    """At most `count` in any window of the length `per`: a word, or minutes."""

    count: int
    per: str | int


class ChannelPreferenceView(TypedDict):
    """What holds for a channel."""

    enabled: bool
    quiet_hours: QuietHoursView | None
    frequency_cap: FrequencyCapView | None


class PreferencesView(TypedDict):
    """What holds for a recipient: every channel, and the categories that were named."""

    channels: Mapping[str, ChannelPreferenceView]
    categories: Mapping[str, bool]


class UserPreferenceView(TypedDict):
    """What holds for a channel, in one level; 0 and an empty text mean none."""

    user_id: str
    channel: str
    enabled: bool
    quiet_hours_start: str
    quiet_hours_end: str
    frequency_cap: int
    frequency_window_minutes: int
    timezone: str


class UserPreferencesView(TypedDict):
    """The same as PreferencesView, and in `data` each channel in one level."""

    user_id: str
    timezone: str
    channels: Mapping[str, ChannelPreferenceView]
    categories: Mapping[str, bool]
    data: list[UserPreferenceView]


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


def preferences(stored: StoredPreferences) -> PreferencesView:
    return {
        "channels": {name: _channel(stored.channels.get(name, {})) for name in CHANNELS},
        "categories": stored.categories,
    }


def _channel(document: Mapping[str, Any]) -> ChannelPreferenceView:
    return {
        "enabled": document.get("enabled", True),
        "quiet_hours": document.get("quiet_hours"),
        "frequency_cap": document.get("frequency_cap"),
    }


def user_preferences(
    stored: StoredPreferences, *, user_id: str, timezone: str
) -> UserPreferencesView:
    shown = preferences(stored)
    return {
        "user_id": user_id,
        "timezone": timezone,
        "channels": shown["channels"],
        "categories": shown["categories"],
        "data": [
            _flat(user_id, name, wanted, timezone) for name, wanted in shown["channels"].items()
        ],
    }


def _flat(
    user_id: str, name: str, wanted: ChannelPreferenceView, timezone: str
) -> UserPreferenceView:
    quiet, cap = wanted["quiet_hours"], wanted["frequency_cap"]
    return {
        "user_id": user_id,
        "channel": name,
        "enabled": wanted["enabled"],
        "quiet_hours_start": quiet["start"] if quiet else "",
        "quiet_hours_end": quiet["end"] if quiet else "",
        "frequency_cap": cap["count"] if cap else 0,
        "frequency_window_minutes": window_s(cap["per"]) // 60 if cap else 0,
        "timezone": timezone,
    }


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
