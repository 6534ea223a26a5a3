"""Decisions of the pages of people: the preferences form, states in words, hidden addresses."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from multidict import MultiDict

from notistream.console.recipients.preference_form import form_of, read, submitted
from notistream.console.recipients.view import RecipientView
from notistream.console.tenants import handlers as tenants
from notistream.console.webhooks import handlers as webhooks
from notistream.db.preferences import StoredPreferences
from notistream.db.tenants import StoredTenant
from notistream.errors import InvalidRequest
from notistream.recipients.support import reference
from notistream.web.notifications.examples import NOW, TENANT
from notistream.web.tenants.routes import KEY
from notistream.web.webhooks.examples import GONE, STORED

QUIET = {"start": "22:00", "end": "08:00"}
STORED_WISHES = StoredPreferences(
    {
        "sms": {"enabled": True, "quiet_hours": QUIET, "frequency_cap": {"count": 5, "per": "day"}},
        "push": {"enabled": False},
    },
    {"offers": False, "orders": True},
)
ON = {f"{channel}.enabled": "1" for channel in ("sms", "email", "push", "in_app")}


def test_what_is_stored_comes_back_from_its_form_with_its_defaults_said() -> None:
    found = read(form_of(STORED_WISHES))
    assert found.channels == {
        **STORED_WISHES.channels,
        "email": {"enabled": True},
        "in_app": {"enabled": True},
    }
    assert found.categories == STORED_WISHES.categories


@pytest.mark.parametrize(
    ("sent", "channel", "wanted"),
    [
        ({}, "sms", {"enabled": False}),
        (ON, "sms", {"enabled": True}),
        (
            {**ON, "sms.start": "22:00", "sms.end": "08:00:00"},
            "sms",
            {"enabled": True, "quiet_hours": QUIET},
        ),
        (
            {**ON, "sms.count": " 5 ", "sms.per": "90"},
            "sms",
            {"enabled": True, "frequency_cap": {"count": 5, "per": 90}},
        ),
        ({**ON, "sms.per": "week"}, "sms", {"enabled": True}),
    ],
    ids=str,
)
def test_a_channel_is_read_from_the_form(
    sent: dict[str, str], channel: str, wanted: dict[str, object]
) -> None:
    assert read(submitted(MultiDict(sent))).channels[channel] == wanted


@pytest.mark.parametrize(
    ("sent", "pointer"),
    [
        ({"sms.start": "22:00"}, "/channels/sms/quiet_hours/end"),
        ({"sms.start": "25:00", "sms.end": "08:00"}, "/channels/sms/quiet_hours/start"),
        ({"sms.start": "08:00", "sms.end": "08:00"}, "/channels/sms/quiet_hours"),
        ({"email.count": "many", "email.per": "day"}, "/channels/email/frequency_cap/count"),
        ({"email.count": "0", "email.per": "day"}, "/channels/email/frequency_cap/count"),
        ({"push.count": "5", "push.per": "fortnight"}, "/channels/push/frequency_cap/per"),
        ({"push.count": "5", "push.per": ""}, "/channels/push/frequency_cap/per"),
    ],
    ids=str,
)
def test_what_is_wrong_is_said_of_its_field(sent: dict[str, str], pointer: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read(submitted(MultiDict({**ON, **sent})))
    assert [error.pointer for error in caught.value.errors] == [pointer]


def test_a_category_is_kept_turned_off_or_forgotten() -> None:
    form: MultiDict[str] = MultiDict(
        [
            ("category", "offers"),
            ("wish", "say nothing"),
            ("category", "orders"),
            ("wish", "wanted"),
            ("category", " news "),
            ("wish", "not wanted"),
            ("category", ""),
            ("wish", "wanted"),
        ]
    )
    assert read(submitted(form)).categories == {"orders": True, "news": False}


DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({}, "works"),
        ({"revoked_at": NOW}, "revoked"),
        ({"expires_at": NOW}, "expired"),
        ({"expires_at": NOW + DAY}, "works"),
        ({"expires_at": NOW + DAY, "replaced_by": TENANT}, "ending"),
        ({"expires_at": NOW - DAY, "replaced_by": TENANT}, "expired"),
    ],
    ids=str,
)
def test_what_a_key_is_good_for(changed: dict[str, object], word: str) -> None:
    assert tenants.state(replace(KEY, **changed), NOW)[0] == word  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("endpoint", "word"),
    [
        (STORED, "active"),
        (GONE, "disabled"),
        (replace(STORED, is_active=False), "off"),
        (replace(STORED, failing_since=NOW), "failing"),
    ],
    ids=["active", "gone", "off", "failing"],
)
def test_how_an_endpoint_is(endpoint: webhooks.StoredEndpoint, word: str) -> None:
    assert webhooks.state(endpoint)[0] == word


def test_marks_find_addresses_and_do_not_tell_them() -> None:
    view = RecipientView(
        StoredTenant(TENANT, "acme", NOW),
        "u-1",
        None,
        [],
        StoredPreferences(),
        [("sms", "+905321112233"), ("in_app", "u-1")],
        [],
        "UTC",
    )
    mark = view.mark("sms", "+905321112233")
    assert view.address_of(mark) == ("sms", "+905321112233")
    assert view.address_of(view.mark("email", "+905321112233")) is None
    assert "5321" not in mark
    assert reference(TENANT, "ab", "c") != reference(TENANT, "a", "bc")


@pytest.mark.parametrize(("hour", "quiet"), [(23, True), (12, False)])
def test_quiet_hours_are_said_with_what_holds_now(
    monkeypatch: pytest.MonkeyPatch, hour: int, quiet: bool
) -> None:
    class Clock(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
            return datetime(2026, 1, 1, hour, tzinfo=UTC)

    monkeypatch.setattr("notistream.console.recipients.view.datetime", Clock)
    view = RecipientView(
        StoredTenant(TENANT, "acme", NOW), "u-1", None, [], STORED_WISHES, [], [], "UTC"
    )
    sms = view.channels[0]
    assert sms.words == ["quiet from 22:00 to 08:00 of the next day", "at most 5 per day"]
    assert (sms.quiet_until is not None) == quiet
