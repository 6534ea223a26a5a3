"""JSON shapes of preferences, and what fills them."""

from collections.abc import Mapping
from typing import Any

from typing_extensions import TypedDict

from notistream.db.preferences import StoredPreferences
from notistream.domain.notification import CHANNELS
from notistream.domain.preference import window_s


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
