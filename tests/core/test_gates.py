"""The gates as tables: every gate, every verdict, and the reason in words."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import uuid4

import pytest

from notistream.delivery.gates import (
    Passed,
    Stopped,
    has_address,
    not_expired,
    not_suppressed,
    outside_quiet_hours,
    wanted,
)
from notistream.delivery.stages import STAGES
from notistream.domain.notification import Claimed, OnUnknown, Priority, Status
from notistream.domain.preference import ChannelPreference, Preferences, QuietHours

NOW = datetime(2026, 7, 1, 23, 30, tzinfo=UTC)  # 01:30 in Berlin, 19:30 in New York
SECOND = timedelta(seconds=1)
CLAIMED = Claimed(
    id=uuid4(),
    tenant_id=uuid4(),
    channel="sms",
    priority=Priority.NORMAL,
    recipient="+905000000001",
    recipient_id="u-1",
    content="hi",
    subject=None,
    template_id=None,
    template_name=None,
    template_version=None,
    template_variables={},
    expires_at=None,
    category=None,
    on_unknown=OnUnknown.RESEND,
    correlation_id="c",
    traceparent=None,
    chain=1,
    attempts=1,
    lease_token=uuid4(),
    claimed_at=NOW,
)
NIGHT = Preferences({"sms": ChannelPreference(quiet_hours=QuietHours(time(22), time(8)))})
SMS_OFF = Preferences({"sms": ChannelPreference(enabled=False)})
NO_NEWS = Preferences(categories={"news": False, "receipts": True})
URGENT: dict[str, Any] = {"priority": Priority.HIGH, "category": "critical"}


def claimed(**fields: Any) -> Claimed:
    return replace(CLAIMED, **fields)


@pytest.mark.parametrize(
    ("gate", "fields"),
    [
        (not_expired, {}),
        (not_expired, {"expires_at": NOW + timedelta(microseconds=1)}),
        (not_suppressed, {}),
        (wanted, {}),
        (wanted, {"channel": "email", "preferences": SMS_OFF}),
        (wanted, {"category": "news"}),
        (wanted, {"category": None, "preferences": NO_NEWS}),
        (wanted, {"category": "receipts", "preferences": NO_NEWS}),
        (wanted, {"category": "News", "preferences": NO_NEWS}),
        (has_address, {}),
        (has_address, {"recipient_id": None}),
        (outside_quiet_hours, {}),
        (outside_quiet_hours, {"channel": "email", "preferences": NIGHT}),
    ],
)
def test_a_gate_with_nothing_to_say_says_nothing(gate: Any, fields: dict[str, Any]) -> None:
    assert gate(claimed(**fields)) == Passed(None)


@pytest.mark.parametrize(
    ("gate", "fields", "status", "name", "reason"),
    [
        (
            not_expired,
            {"expires_at": NOW},
            Status.EXPIRED,
            "expiry",
            "expired at 2026-07-01T23:30:00+00:00",
        ),
        (
            not_expired,
            {"expires_at": NOW - SECOND},
            Status.EXPIRED,
            "expiry",
            "expired at 2026-07-01T23:29:59+00:00",
        ),
        (
            not_suppressed,
            {"suppressed": "bounce"},
            Status.SUPPRESSED,
            "suppression",
            "the address is on the suppression list: bounce",
        ),
        (
            wanted,
            {"preferences": SMS_OFF},
            Status.SUPPRESSED,
            "preferences",
            "the recipient has turned sms off",
        ),
        (
            wanted,
            {"preferences": SMS_OFF, **URGENT},
            Status.SUPPRESSED,
            "preferences",
            "the recipient has turned sms off",
        ),
        (
            wanted,
            {"preferences": NO_NEWS, "category": "news"},
            Status.SUPPRESSED,
            "preferences",
            "the recipient has turned the category 'news' off",
        ),
        (
            wanted,
            {"preferences": Preferences(categories={"critical": False}), **URGENT},
            Status.SUPPRESSED,
            "preferences",
            "the recipient has turned the category 'critical' off",
        ),
        (
            has_address,
            {"recipient": None},
            Status.FAILED,
            "address",
            "recipient 'u-1' has no phone",
        ),
        (
            has_address,
            {"recipient": None, "channel": "email"},
            Status.FAILED,
            "address",
            "recipient 'u-1' has no email",
        ),
        (
            has_address,
            {"recipient": None, "channel": "push"},
            Status.FAILED,
            "address",
            "recipient 'u-1' has no push token",
        ),
    ],
)
def test_a_gate_that_stops_says_why(
    gate: Any, fields: dict[str, Any], status: Status, name: str, reason: str
) -> None:
    found = gate(claimed(**fields))
    assert (found.status, found.delay_s) == (status, None)
    assert (found.step.gate, found.step.verdict, found.step.reason) == (name, status.value, reason)
    assert found.step.next_eligible_at is None


@pytest.mark.parametrize(
    ("zone", "verdict", "until", "local"),
    [
        ("Europe/Berlin", "deferred", "08:00", "2026-07-02T01:30:00+0200"),
        ("Asia/Kathmandu", "deferred", "08:00", "2026-07-02T05:15:00+0545"),
        ("UTC", "deferred", "08:00", "2026-07-01T23:30:00+0000"),
        (None, "deferred", "08:00", "2026-07-01T23:30:00+0000"),
        ("Mars/Olympus", "deferred", "08:00", "2026-07-01T23:30:00+0000"),
        ("America/New_York", "passed", None, "2026-07-01T19:30:00-0400"),
        ("Asia/Tokyo", "passed", None, "2026-07-02T08:30:00+0900"),
    ],
)
def test_quiet_hours_are_those_of_the_recipients_zone(
    zone: str | None, verdict: str, until: str | None, local: str
) -> None:
    found = outside_quiet_hours(claimed(preferences=NIGHT, timezone=zone))
    assert found.step is not None
    assert (found.step.gate, found.step.verdict) == ("quiet_hours", verdict)
    assert found.step.reason == (
        f"quiet hours until {until}" if until else "outside the quiet hours"
    )
    shown_zone = "UTC" if zone in (None, "Mars/Olympus") else zone
    assert found.step.inputs == {
        "start": "22:00",
        "end": "08:00",
        "timezone": shown_zone,
        "local_time": local,
    }


def test_quiet_hours_defer_to_their_end() -> None:
    at = NOW + timedelta(seconds=30.5)
    found = outside_quiet_hours(claimed(preferences=NIGHT, timezone="Europe/Berlin", claimed_at=at))
    assert isinstance(found, Stopped)
    assert found.step.next_eligible_at == datetime(2026, 7, 2, 6, 0, tzinfo=UTC)
    assert (found.status, found.delay_s) == (Status.DEFERRED, 6.5 * 3600 - 30.5)
    again = claimed(
        preferences=NIGHT, timezone="Europe/Berlin", claimed_at=found.step.next_eligible_at
    )
    assert isinstance(outside_quiet_hours(again), Passed)


def test_a_recipient_who_moves_has_other_quiet_hours_at_once() -> None:
    """The zone is looked at each time a message is claimed, not when it was deferred."""
    asleep = outside_quiet_hours(claimed(preferences=NIGHT, timezone="Europe/Berlin"))
    awake = outside_quiet_hours(claimed(preferences=NIGHT, timezone="America/New_York"))
    assert (type(asleep), type(awake)) == (Stopped, Passed)


@pytest.mark.parametrize(
    ("priority", "category", "verdict"),
    [
        (Priority.HIGH, "critical", "bypassed"),
        (Priority.HIGH, "Critical", "deferred"),
        (Priority.HIGH, None, "deferred"),
        (Priority.NORMAL, "critical", "deferred"),
        (Priority.LOW, "critical", "deferred"),
    ],
)
def test_only_high_and_critical_passes_through_quiet_hours(
    priority: Priority, category: str | None, verdict: str
) -> None:
    found = outside_quiet_hours(claimed(preferences=NIGHT, priority=priority, category=category))
    assert found.step is not None
    assert found.step.verdict == verdict
    assert isinstance(found, Passed) == (verdict == "bypassed")
    if verdict == "bypassed":
        assert found.step.reason == "high priority and category critical"
        assert found.step.inputs["local_time"] == "2026-07-01T23:30:00+0000"


def first_stop(item: Claimed) -> str | None:
    verdicts = (stage.gate(item) for stage in STAGES if stage.gate)
    found = next((verdict for verdict in verdicts if isinstance(verdict, Stopped)), None)
    return found.step.gate if found else None


def test_gates_are_asked_in_order_and_the_first_that_stops_decides() -> None:
    wrong: list[tuple[str, dict[str, Any]]] = [
        ("expiry", {"expires_at": NOW}),
        ("suppression", {"suppressed": "complaint"}),
        ("preferences", {"category": "news"}),
        ("address", {"recipient": None}),
        ("quiet_hours", {}),
    ]
    asleep = claimed(preferences=replace(NIGHT, categories={"news": False}))
    assert [name for name, _ in wrong] == [stage.name for stage in STAGES if stage.gate]
    for index, (name, _) in enumerate(wrong):
        everything = {key: value for _, fields in wrong[index:] for key, value in fields.items()}
        assert first_stop(replace(asleep, **everything)) == name
    assert first_stop(replace(asleep, **URGENT)) is None


def test_a_message_that_expires_in_quiet_hours_is_expired_not_deferred_again() -> None:
    asleep = claimed(preferences=NIGHT, expires_at=NOW + timedelta(hours=1))
    assert first_stop(asleep) == "quiet_hours"
    assert first_stop(replace(asleep, claimed_at=NOW + timedelta(hours=1))) == "expiry"
    assert first_stop(replace(asleep, claimed_at=NOW + timedelta(hours=1), **URGENT)) == "expiry"
