"""Preferences: quiet hours against an oracle that walks minute by minute, and how documents are
read.
"""

import random
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from notistream.domain.preference import (
    EVERYTHING,
    ChannelPreference,
    FrequencyCap,
    Preferences,
    QuietHours,
    preferences_from,
    window_s,
    zone_of,
)

MINUTE = timedelta(minutes=1)
CLOCK_CHANGES = {
    "Europe/Berlin": ("2026-03-29T01:00Z", "2026-10-25T01:00Z"),
    "America/New_York": ("2026-03-08T07:00Z", "2026-11-01T06:00Z"),
    "Australia/Lord_Howe": ("2026-10-03T15:30Z", "2026-04-04T15:00Z"),  # by half an hour
    "Asia/Kathmandu": ("2026-06-15T12:00Z",),  # never, and +05:45
    "America/Santiago": ("2026-09-06T04:00Z", "2026-04-05T03:00Z"),  # at midnight
    "America/Havana": ("2026-03-08T05:00Z", "2026-11-01T05:00Z"),  # to and from midnight
    "Africa/Casablanca": ("2026-02-15T02:00Z", "2026-03-22T02:00Z"),
    "Antarctica/Troll": ("2026-03-29T01:00Z", "2026-10-25T01:00Z"),  # by two hours
}


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def quiet(text: str) -> QuietHours:
    start, end = text.split("-")
    return QuietHours(time.fromisoformat(start), time.fromisoformat(end))


def minutes(wall: time) -> int:
    return wall.hour * 60 + wall.minute


def inside(hours: QuietHours, at: datetime, zone: ZoneInfo) -> bool:
    start, end = minutes(hours.start), minutes(hours.end)
    return (minutes(at.astimezone(zone).time()) - start) % 1440 < (end - start) % 1440


def oracle(hours: QuietHours, now: datetime, zone: ZoneInfo) -> datetime | None:
    """All of this century's clock changes happen on whole minutes."""
    if not inside(hours, now, zone):
        return None
    at = now.replace(second=0, microsecond=0) + MINUTE
    while inside(hours, at, zone):
        at += MINUTE
    return at


@pytest.mark.parametrize(
    ("name", "hours", "now", "expected"),
    [
        # on an ordinary day
        ("Europe/Berlin", "22:00-08:00", "2026-01-15T21:59:59.999999+01:00", None),
        ("Europe/Berlin", "22:00-08:00", "2026-01-15T22:00+01:00", "2026-01-16T08:00+01:00"),
        (
            "Europe/Berlin",
            "22:00-08:00",
            "2026-01-16T07:59:59.999999+01:00",
            "2026-01-16T08:00+01:00",
        ),
        ("Europe/Berlin", "22:00-08:00", "2026-01-16T08:00+01:00", None),
        ("Europe/Berlin", "12:30-14:00", "2026-01-16T13:00+01:00", "2026-01-16T14:00+01:00"),
        ("Europe/Berlin", "22:00-00:00", "2026-01-16T23:30+01:00", "2026-01-17T00:00+01:00"),
        ("Europe/Berlin", "00:00-06:00", "2026-01-16T00:00+01:00", "2026-01-16T06:00+01:00"),
        ("Europe/Berlin", "00:00-23:59", "2026-01-16T12:00+01:00", "2026-01-16T23:59+01:00"),
        ("Europe/Berlin", "00:01-00:00", "2026-01-16T00:01+01:00", "2026-01-17T00:00+01:00"),
        ("Asia/Kathmandu", "22:00-08:00", "2026-01-15T16:14:59Z", None),
        ("Asia/Kathmandu", "22:00-08:00", "2026-01-15T16:15Z", "2026-01-16T02:15Z"),
        # the night loses an hour: over it, and with its end inside the gap
        ("Europe/Berlin", "22:00-08:00", "2026-03-28T22:00+01:00", "2026-03-29T08:00+02:00"),
        ("Europe/Berlin", "22:00-02:30", "2026-03-29T01:59+01:00", "2026-03-29T03:00+02:00"),
        ("Europe/Berlin", "22:00-02:00", "2026-03-29T01:59+01:00", "2026-03-29T03:00+02:00"),
        ("Europe/Berlin", "02:15-02:45", "2026-03-29T01:59+01:00", None),
        ("Europe/Berlin", "02:15-02:45", "2026-03-29T03:00+02:00", None),
        ("Europe/Berlin", "02:30-05:00", "2026-03-29T03:00+02:00", "2026-03-29T05:00+02:00"),
        ("America/New_York", "21:00-02:30", "2026-03-08T01:00-05:00", "2026-03-08T03:00-04:00"),
        ("Australia/Lord_Howe", "22:00-02:15", "2026-10-04T01:00+10:30", "2026-10-04T02:30+11:00"),
        ("America/Santiago", "20:00-00:00", "2026-09-05T23:30-04:00", "2026-09-06T01:00-03:00"),
        # a quiet day whose only open half-hour falls into the gap stays quiet until the next day
        ("Europe/Berlin", "03:00-02:30", "2026-03-29T01:00+01:00", "2026-03-30T02:30+02:00"),
        # the night has an hour more: over it, and with its end or its start in the hour that comes
        # twice
        ("Europe/Berlin", "22:00-08:00", "2026-10-24T22:00+02:00", "2026-10-25T08:00+01:00"),
        ("Europe/Berlin", "22:00-02:30", "2026-10-25T02:00+02:00", "2026-10-25T02:30+02:00"),
        ("Europe/Berlin", "22:00-02:30", "2026-10-25T02:45+02:00", None),
        ("Europe/Berlin", "22:00-02:30", "2026-10-25T02:00+01:00", "2026-10-25T02:30+01:00"),
        ("Europe/Berlin", "22:00-03:00", "2026-10-25T02:59+02:00", "2026-10-25T03:00+01:00"),
        ("Europe/Berlin", "02:30-06:00", "2026-10-25T02:45+02:00", "2026-10-25T02:00+01:00"),
        ("Europe/Berlin", "02:30-06:00", "2026-10-25T02:45+01:00", "2026-10-25T06:00+01:00"),
        ("Europe/Berlin", "02:15-02:45", "2026-10-25T02:20+02:00", "2026-10-25T02:45+02:00"),
        ("America/New_York", "21:00-01:30", "2026-11-01T01:00-04:00", "2026-11-01T01:30-04:00"),
        ("America/New_York", "21:00-01:30", "2026-11-01T01:00-05:00", "2026-11-01T01:30-05:00"),
        ("Australia/Lord_Howe", "22:00-01:45", "2026-04-05T01:40+11:00", "2026-04-05T01:45+11:00"),
        ("Australia/Lord_Howe", "22:00-01:45", "2026-04-05T01:40+10:30", "2026-04-05T01:45+10:30"),
        ("America/Havana", "22:00-00:30", "2026-11-01T00:10-04:00", "2026-11-01T00:30-04:00"),
    ],
)
def test_quiet_hours_end(name: str, hours: str, now: str, expected: str | None) -> None:
    found = quiet(hours).ends_at(moment(now), ZoneInfo(name))
    assert found == (moment(expected) if expected else None)
    assert found == oracle(quiet(hours), moment(now), ZoneInfo(name))
    assert found is None or found.tzinfo is UTC


def around(changes: tuple[str, ...], spread: timedelta, chance: random.Random) -> datetime:
    return moment(chance.choice(changes)) + chance.uniform(-1, 1) * spread


@pytest.mark.parametrize("name", CLOCK_CHANGES)
def test_quiet_hours_agree_with_the_oracle(name: str) -> None:
    """A third of the cases begin within two hours of a clock change, half of the windows end or
    start close to it.
    """
    zone, chance = ZoneInfo(name), random.Random(f"quiet hours in {name}")
    checked = 0
    for _ in range(150):
        spread = chance.choice([timedelta(hours=2), timedelta(days=1), timedelta(days=100)])
        now = around(CLOCK_CHANGES[name], spread, chance)
        start, end = (
            chance.choice(
                [
                    around(CLOCK_CHANGES[name], timedelta(hours=2), chance).astimezone(zone).time(),
                    time(*divmod(chance.randrange(1440), 60)),
                ]
            ).replace(second=0, microsecond=0)
            for _ in range(2)
        )
        if start == end:
            continue
        hours = QuietHours(start, end)
        assert hours.ends_at(now, zone) == oracle(hours, now, zone), (hours, now.isoformat())
        checked += oracle(hours, now, zone) is not None
    assert checked > 30


def test_after_its_end_a_message_is_outside() -> None:
    """What was deferred is not deferred again at that moment."""
    chance = random.Random("released")
    for name, changes in CLOCK_CHANGES.items():
        for _ in range(20):
            hours = quiet(
                chance.choice(["22:00-08:00", "23:30-02:30", "01:30-02:00", "02:30-06:00"])
            )
            ends_at = hours.ends_at(around(changes, timedelta(days=1), chance), ZoneInfo(name))
            assert ends_at is None or hours.ends_at(ends_at, ZoneInfo(name)) is None


def test_another_zone_is_another_end() -> None:
    now, night = moment("2026-07-01T23:00Z"), quiet("22:00-08:00")
    expected = {
        "UTC": moment("2026-07-02T08:00Z"),
        "Europe/Berlin": moment("2026-07-02T06:00Z"),
        "America/New_York": None,
        "Asia/Tokyo": None,
    }
    assert {name: night.ends_at(now, ZoneInfo(name)) for name in expected} == expected


def test_whatever_is_not_mentioned_is_wanted() -> None:
    found = Preferences()
    assert (
        found.of("sms")
        == EVERYTHING
        == ChannelPreference(enabled=True, quiet_hours=None, frequency_cap=None)
    )
    assert found.wants("marketing")
    assert found.wants(None)


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({}, EVERYTHING),
        ({"enabled": True}, EVERYTHING),
        ({"enabled": False}, ChannelPreference(enabled=False)),
        ({"quiet_hours": None, "frequency_cap": None}, EVERYTHING),
        (
            {"quiet_hours": {"start": "22:00", "end": "08:00"}},
            ChannelPreference(quiet_hours=quiet("22:00-08:00")),
        ),
        (
            {"frequency_cap": {"count": 5, "per": "day"}},
            ChannelPreference(frequency_cap=FrequencyCap(5, 86_400)),
        ),
        (
            {
                "enabled": False,
                "quiet_hours": {"start": "00:00", "end": "00:01"},
                "frequency_cap": {"count": 1, "per": 90},
            },
            ChannelPreference(
                enabled=False, quiet_hours=quiet("00:00-00:01"), frequency_cap=FrequencyCap(1, 5400)
            ),
        ),
    ],
)
def test_documents(document: dict[str, object], expected: ChannelPreference) -> None:
    found = preferences_from({"email": document}, {"news": False, "receipts": True})
    assert (found.of("email"), found.of("sms")) == (expected, EVERYTHING)
    assert [found.wants(category) for category in ("news", "receipts", "other", None)] == [
        False,
        True,
        True,
        True,
    ]


@pytest.mark.parametrize(
    "document",
    [
        {"quiet_hours": {"start": "22:00"}},
        {"quiet_hours": {"start": "25:00", "end": "08:00"}},
        {"frequency_cap": {"count": 5}},
        {"frequency_cap": {"count": 5, "per": "year"}},
        {"quiet_hours": 7},
    ],
)
def test_documents_of_another_shape_are_refused(document: dict[str, object]) -> None:
    with pytest.raises((KeyError, ValueError, TypeError)):
        preferences_from({"email": document}, {})


@pytest.mark.parametrize(
    ("per", "seconds"),
    [
        ("minute", 60),
        ("hour", 3600),
        ("day", 86_400),
        ("week", 604_800),
        (1, 60),
        (90, 5400),
        (525_600, 31_536_000),
    ],
)
def test_windows(per: str | int, seconds: int) -> None:
    assert window_s(per) == seconds


def test_zones() -> None:
    assert zone_of(None) == zone_of("UTC") == ZoneInfo("UTC")
    assert zone_of("Asia/Kathmandu").key == "Asia/Kathmandu"
    with pytest.raises((KeyError, ValueError)):
        zone_of("Mars/Olympus")
