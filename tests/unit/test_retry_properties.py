"""A notification's life as a state machine: whatever providers answer, it ends, after a bounded
number of calls.
"""

from hypothesis import given
from hypothesis import strategies as st

from notistream.delivery.conclusion import conclude, outcome_of
from notistream.domain import retry
from notistream.domain.notification import MAX_RETRIES, TERMINAL, OnUnknown, Priority, Status
from notistream.domain.outcome import Ambiguous, Permanent, Temporary
from notistream.domain.retry import CAP_S

WORDS = st.text(min_size=1, max_size=20)
AFTER = st.none() | st.floats(allow_nan=False, allow_infinity=True)
RESULTS = (
    st.builds(Temporary, WORDS, AFTER) | st.builds(Permanent, WORDS) | st.builds(Ambiguous, WORDS)
)
LIVES = st.lists(
    RESULTS, min_size=MAX_RETRIES[Priority.HIGH] + 1, max_size=MAX_RETRIES[Priority.HIGH] + 1
)
JITTER = st.floats(0, 1, exclude_max=True)


@given(LIVES, st.sampled_from(Priority), st.sampled_from(OnUnknown), JITTER)
def test_every_life_ends_with_a_reason_after_a_bounded_number_of_calls(
    life: list[Temporary | Permanent | Ambiguous],
    priority: Priority,
    on_unknown: OnUnknown,
    jitter: float,
) -> None:
    for attempts, result in enumerate(life, start=1):
        decision = retry.decide(
            result, priority=priority, attempts=attempts, on_unknown=on_unknown, jitter=jitter
        )
        end = conclude(decision, outcome_of(result), error=result.reason)
        assert result.reason in (end.reason or "")
        assert end.outcome is outcome_of(result)
        match end.status:
            case Status.RETRYING:
                assert not isinstance(result, Permanent)
                assert attempts <= MAX_RETRIES[priority]
                assert end.delay_s is not None
                assert 0 <= end.delay_s <= CAP_S
            case Status.UNKNOWN:
                assert isinstance(result, Ambiguous)
                assert on_unknown is OnUnknown.HOLD
                return
            case status:
                assert status is Status.FAILED
                assert status in TERMINAL
                assert isinstance(result, Permanent) or attempts > MAX_RETRIES[priority]
                return
    raise AssertionError("it never ended")


@given(st.floats(min_value=0, max_value=CAP_S), JITTER, st.sampled_from(Priority))
def test_nothing_is_sent_before_the_provider_wants_it(
    after_s: float, jitter: float, priority: Priority
) -> None:
    decision = retry.decide(
        Temporary("HTTP 429", after_s),
        priority=priority,
        attempts=1,
        on_unknown=OnUnknown.RESEND,
        jitter=jitter,
    )
    assert isinstance(decision, retry.Retry)
    assert decision.delay_s >= after_s
