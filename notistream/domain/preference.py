"""What a recipient wants: channels and categories on or off, quiet hours, frequency caps."""

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
CAP_WINDOWS_S: Mapping[str, int] = {"minute": 60, "hour": 3600, "day": 86_400, "week": 604_800}


@dataclass(frozen=True, slots=True)
class QuietHours:
    """A daily window of wall-clock time, from `start` to before `end`.

    Overnight where start is the later one.
    """

    start: time
    end: time

    def covers(self, wall: time) -> bool:
        """Whether the window holds this time of day."""
        if self.start < self.end:
            return self.start <= wall < self.end
        return wall >= self.start or wall < self.end

    def ends_at(self, now: datetime, zone: ZoneInfo) -> datetime | None:
        """The first moment (UTC) from `now` on whose wall-clock time is outside.

        None where `now` is outside.

        A clock that is changed may leave the window by the change itself: forward over the end, or
        back over the start.
        """
        at = now.astimezone(UTC)
        if not self.covers(at.astimezone(zone).time()):
            return None
        while True:
            end = at + self._left(at.astimezone(zone).time())
            change = _clock_change(at, end, zone)
            if change is None or not self.covers(change.astimezone(zone).time()):
                return change or end
            at = change

    def _left(self, wall: time) -> timedelta:
        """From this time of day to the end, while nobody changes the clock."""
        return (_since_midnight(self.end) - _since_midnight(wall)) % DAY


def _since_midnight(wall: time) -> timedelta:
    return timedelta(
        hours=wall.hour, minutes=wall.minute, seconds=wall.second, microseconds=wall.microsecond
    )


def _clock_change(start: datetime, end: datetime, zone: ZoneInfo) -> datetime | None:
    """When, after `start` and up to `end`, less than a day later, the clock is changed.

    Always at a whole minute.
    """
    offset = zone.utcoffset(start.astimezone(zone))
    if zone.utcoffset(end.astimezone(zone)) == offset:
        return None
    first = start.replace(second=0, microsecond=0)
    return first + MINUTE * bisect_left(
        range((end - first) // MINUTE),
        True,
        key=lambda minutes: zone.utcoffset((first + MINUTE * minutes).astimezone(zone)) != offset,
    )


@dataclass(frozen=True, slots=True)
class FrequencyCap:
    """At most `count` messages in any `window_s` seconds."""

    count: int
    window_s: int


@dataclass(frozen=True, slots=True)
class ChannelPreference:
    """What holds for one channel of a recipient."""

    enabled: bool = True
    quiet_hours: QuietHours | None = None
    frequency_cap: FrequencyCap | None = None


EVERYTHING = ChannelPreference()


@dataclass(frozen=True, slots=True)
class Preferences:
    """A recipient's wishes; what is not mentioned is wanted."""

    channels: Mapping[str, ChannelPreference] = field(default_factory=dict)
    categories: Mapping[str, bool] = field(default_factory=dict)

    def of(self, channel: str) -> ChannelPreference:
        """What holds for a channel."""
        return self.channels.get(channel, EVERYTHING)

    def wants(self, category: str | None) -> bool:
        """False only where the recipient said no to this category."""
        return category is None or self.categories.get(category, True)


def preferences_from(channels: Mapping[str, Any], categories: Mapping[str, bool]) -> Preferences:
    """Preferences from the documents that are stored.

    `{"email": {"enabled": true, "quiet_hours": {"start": "22:00", "end": "08:00"}, "frequency_cap":
    {"count": 5, "per": "day"}}}`, where `per` may also be a number of minutes.

    Raises:
        KeyError, ValueError, TypeError: not of this shape; they are checked when they are stored.
    """
    return Preferences(
        {name: _channel(document) for name, document in channels.items()}, categories
    )


def _channel(document: Mapping[str, Any]) -> ChannelPreference:
    quiet, cap = document.get("quiet_hours"), document.get("frequency_cap")
    return ChannelPreference(
        enabled=document.get("enabled", True),
        quiet_hours=(
            QuietHours(time.fromisoformat(quiet["start"]), time.fromisoformat(quiet["end"]))
            if quiet
            else None
        ),
        frequency_cap=FrequencyCap(cap["count"], window_s(cap["per"])) if cap else None,
    )


def window_s(per: str | int) -> int:
    """Seconds of a cap's window: minute, hour, day, week, or a number of minutes."""
    return per * 60 if isinstance(per, int) else CAP_WINDOWS_S[per]


def span(seconds: int) -> str:
    """A window in words: `day`, or `90 minutes`."""
    named = {s: name for name, s in CAP_WINDOWS_S.items()}
    return named.get(seconds) or f"{seconds // 60} minutes"


@cache
def zone_of(name: str | None) -> ZoneInfo:
    """The IANA zone of a recipient; UTC where none is known.

    Raises:
        ZoneInfoNotFoundError, ValueError: no such zone.
    """
    return ZoneInfo(name or "UTC")
