"""Formats and charts: nothing is rounded to a better figure, and gaps stay gaps."""

from datetime import UTC, datetime, timedelta

import pytest
from multidict import MultiDict

from notistream.console.health.handlers import _words
from notistream.console.shell import charts, formats, query

NOW = datetime(2026, 5, 4, 10, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "just now"),
        (0.9, "just now"),
        (-0.5, "just now"),
        (59.9, "59 s ago"),
        (60, "1 min ago"),
        (3599, "59 min ago"),
        (86_399, "23 h ago"),
        (172_800, "2 d ago"),
        (-90, "in 1 min"),
    ],
)
def test_ago(seconds, words):
    assert formats.ago(seconds) == words


def test_a_moment_has_its_exact_time():
    said = str(formats.moment(NOW - timedelta(minutes=5), NOW))
    assert 'title="2026-05-04 09:55:00 UTC"' in said
    assert 'datetime="2026-05-04T09:55:00.000Z"' in said
    assert formats.moment(None, NOW) == "–"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "–"),
        (100, "100 %"),
        (0, "0 %"),
        (99.999, "99.99 %"),
        (0.004, "0.00 %"),
        (50, "50.00 %"),
    ],
)
def test_percent_never_hides_a_failure(value, words):
    assert formats.percent(value) == words


@pytest.mark.parametrize(
    ("value", "words"), [(None, "–"), (12.4, "12 ms"), (9_999, "9999 ms"), (61_000, "1 min")]
)
def test_milliseconds(value, words):
    assert formats.milliseconds(value) == words


def test_count_and_tail():
    assert formats.count(1_234_567) == "1\u202f234\u202f567"
    assert formats.tail("0198c5a0-0000-7000-8000-00001234abcd") == "…1234abcd"


@pytest.mark.parametrize(
    ("value", "top"), [(0, 1), (1, 1), (1.01, 2), (3, 5), (7, 10), (10, 10), (11, 20), (0.03, 0.05)]
)
def test_scales_are_round(value, top):
    assert charts.nice(value) == pytest.approx(top)


def drawn(values: charts.Values) -> charts.Line:
    return charts.chart("t", {"sms": values}, labels=[str(n) for n in range(len(values))]).lines[0]


def test_a_gap_is_a_gap():
    line = drawn([1, 1, None, 1, 1])
    assert line.path.count("M") == 2
    assert line.path.count("L") == 2
    assert line.dots == []


def test_a_lonely_point_is_seen():
    assert len(drawn([None, 1, None]).dots) == 1


def test_nothing_is_said_to_be_nothing_and_not_drawn_as_zero():
    found = charts.chart("t", {"sms": [None, None]}, labels=["a", "b"], nothing="not measured")
    assert (found.nothing, found.lines[0].path) == ("not measured", "")
    assert "not measured" in found.slices[0].text
    assert (
        charts.chart("t", {"sms": [0, 0]}, labels=["a", "b"], nothing="not measured").nothing == ""
    )


def test_values_over_a_fixed_scale_stay_inside():
    found = charts.chart("t", {"sms": [500, 0]}, labels=["a", "b"], top=100.0)
    assert f"M{charts.LEFT} {charts.TOP}" in found.lines[0].path


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"a": "", "b": " x "}, {"b": "x"}),
        ({"since": "2026-01-31T09:00"}, {"since": "2026-01-31T09:00:00Z"}),
        ({"since": "2026-01-31T09:00:05"}, {"since": "2026-01-31T09:00:05Z"}),
        ({"since": "2026-01-31T09:00:05+02:00"}, {"since": "2026-01-31T09:00:05+02:00"}),
    ],
)
def test_fields_that_were_filled_in(given, kept):
    assert dict(query.filled_fields(MultiDict(given))) == kept


def test_addresses():
    assert query.url("/x", {"a": "1", "b": ""}, a=None) == "/x"
    assert query.url("/x", {"a": "1&2"}, b=3) == "/x?a=1%262&b=3"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "not set"),
        ("", "not set"),
        (5, "5"),
        ("text", "text"),
        ("postgresql://me:secret@db:5432/x", "postgresql://db:5432/…"),
        ("https://a/b?token=secret", "https://a/…"),
    ],
)
def test_settings_are_shown_without_secrets(value, shown):
    assert _words(value) == shown
