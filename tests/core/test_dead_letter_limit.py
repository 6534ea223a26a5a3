"""The limit on dead letters, by a table of moments."""

import pytest

from notistream.delivery.dead_letter_limit import DeadLetterLimit
from notistream.domain.rate_limit import Rate


def taken(rate, moments):
    limit = DeadLetterLimit(rate)
    return [moment for moment in moments if limit.take(moment)]


@pytest.mark.parametrize(
    ("rate", "moments", "allowed"),
    [
        (Rate(3, 10), [0, 1, 2, 3, 9], [0, 1, 2]),  # used up for the rest of the window
        (
            Rate(3, 10),
            [0, 1, 2, 10, 11, 14, 17],
            [0, 1, 2, 11, 14, 17],
        ),  # the next one fills up as the last one fades
        (
            Rate(3, 10),
            [0, 1, 2, 20, 21, 22, 23],
            [0, 1, 2, 20, 21, 22],
        ),  # a whole window later nothing is left of it
        (Rate(1, 60), [5, 6, 59, 60, 62], [5, 62]),
        (Rate(0, 1), range(1000), list(range(1000))),  # no limit
    ],
)
def test_the_limit_by_rate(rate, moments, allowed):
    assert taken(rate, moments) == allowed


def test_a_refusal_uses_nothing_and_says_how_long_it_lasts():
    limit = DeadLetterLimit(Rate(2, 10))
    assert [limit.take(1), limit.take(2)] == [True, True]
    wait = limit.wait_s(3)
    assert wait > 0
    assert not limit.take(3 + wait - 0.01)
    assert limit.take(3 + wait)


def test_a_steady_stream_gets_its_rate_and_never_more_than_twice_in_any_span():
    rate = Rate(10, 60)
    moments = taken(rate, [tenth / 10 for tenth in range(6000)])
    assert 80 <= len(moments) <= 110
    assert max(sum(start <= m < start + 60 for m in moments) for start in moments) <= 20
