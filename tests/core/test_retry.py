"""The retry policy, as a table."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notistream.domain.notification import OnUnknown, Priority
from notistream.domain.outcome import Ambiguous, Permanent, Temporary
from notistream.domain.retry import CAP_S, GiveUp, Hold, Retry, backoff_s, decide

T = Temporary("HTTP 503")


@pytest.mark.parametrize(
    ("result", "priority", "attempts", "on_unknown", "jitter", "expected"),
    [
        (T, Priority.HIGH, 1, OnUnknown.RESEND, 0.5, Retry(1.0, "HTTP 503")),
        (T, Priority.HIGH, 5, OnUnknown.RESEND, 0.5, Retry(16.0, "HTTP 503")),
        (T, Priority.HIGH, 6, OnUnknown.RESEND, 0.5, GiveUp("HTTP 503 (after 6 attempts)")),
        (T, Priority.NORMAL, 3, OnUnknown.RESEND, 0.0, Retry(0.0, "HTTP 503")),
        (T, Priority.NORMAL, 4, OnUnknown.RESEND, 0.0, GiveUp("HTTP 503 (after 4 attempts)")),
        (T, Priority.LOW, 2, OnUnknown.RESEND, 0.25, Retry(1.0, "HTTP 503")),
        (T, Priority.LOW, 3, OnUnknown.RESEND, 0.25, GiveUp("HTTP 503 (after 3 attempts)")),
        (
            Temporary("HTTP 429", 7.0),
            Priority.HIGH,
            1,
            OnUnknown.RESEND,
            0.1,
            Retry(7.0, "HTTP 429"),
        ),
        (
            Temporary("HTTP 429", 1e9),
            Priority.HIGH,
            1,
            OnUnknown.RESEND,
            0.1,
            Retry(CAP_S, "HTTP 429"),
        ),
        (
            Temporary("HTTP 429", 0.0),
            Priority.HIGH,
            2,
            OnUnknown.RESEND,
            0.5,
            Retry(2.0, "HTTP 429"),
        ),
        (Permanent("HTTP 400"), Priority.HIGH, 1, OnUnknown.RESEND, 0.5, GiveUp("HTTP 400")),
        (
            Ambiguous("timed out"),
            Priority.LOW,
            1,
            OnUnknown.RESEND,
            0.5,
            Retry(1.0, "outcome_unknown: timed out"),
        ),
        (
            Ambiguous("timed out"),
            Priority.LOW,
            3,
            OnUnknown.RESEND,
            0.5,
            GiveUp("outcome_unknown: timed out (after 3 attempts)"),
        ),
        (
            Ambiguous("timed out"),
            Priority.LOW,
            1,
            OnUnknown.HOLD,
            0.5,
            Hold("outcome_unknown: timed out"),
        ),
    ],
)
def test_decision(result, priority, attempts, on_unknown, jitter, expected):
    assert (
        decide(result, priority=priority, attempts=attempts, on_unknown=on_unknown, jitter=jitter)
        == expected
    )


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True))
def test_backoff_stays_in_its_range(attempts, jitter):
    assert 0 <= backoff_s(attempts, jitter) <= min(CAP_S, 2.0 ** min(attempts, 12))
