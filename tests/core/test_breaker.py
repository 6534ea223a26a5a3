"""The circuit breaker: what opens it, the single probe, and who teaches it something."""

import pytest

from notistream.domain.outcome import Accepted, Ambiguous, Permanent, Temporary
from notistream.providers.breaker import Breaker, BreakerState, is_outage

FAILURES, OPEN_S = 5, 30.0
OUTAGE, TIMEOUT = Temporary("HTTP 503"), Ambiguous("no answer: timed out")
THROTTLED, REFUSED, ACCEPTED = (
    Temporary("HTTP 429", 7.0, throttled=True),
    Permanent("HTTP 400"),
    Accepted("m1"),
)
CLOSED, HALF_OPEN, OPEN = BreakerState.CLOSED, BreakerState.HALF_OPEN, BreakerState.OPEN


class Bench:
    """A breaker and its clock."""

    def __init__(self, *results):
        self.now = 100.0
        self.breaker = Breaker(clock=lambda: self.now, failures=FAILURES, open_s=OPEN_S)
        self.told = [self.call(result) for result in results]

    def call(self, result):
        """One call, let through and answered at once; whether the state has changed."""
        return self.breaker.report(result, probe=self.breaker.begin())

    def probe(self):
        """Wait as long as it says, then begin."""
        self.now += self.breaker.blocked_s
        assert self.breaker.begin()


def opened(*, probing=False):
    bench = Bench(*[OUTAGE] * FAILURES)
    if probing:
        bench.probe()
    return bench


@pytest.mark.parametrize(
    ("results", "state"),
    [
        ([OUTAGE] * 4, CLOSED),
        ([OUTAGE] * 5, OPEN),
        ([TIMEOUT] * 5, OPEN),
        ([OUTAGE, TIMEOUT, OUTAGE, TIMEOUT, OUTAGE], OPEN),
        ([OUTAGE] * 4 + [ACCEPTED] + [OUTAGE] * 4, CLOSED),
        ([OUTAGE] * 4 + [ACCEPTED] + [OUTAGE] * 5, OPEN),
        ([REFUSED] * 50, CLOSED),
        ([THROTTLED] * 50, CLOSED),
        ([ACCEPTED] * 50, CLOSED),
        ([OUTAGE] * 4 + [REFUSED, OUTAGE], CLOSED),  # a refusal is an answer: the provider is there
        ([OUTAGE] * 4 + [THROTTLED, OUTAGE], OPEN),  # `too many requests` says nothing either way
        ([OUTAGE, THROTTLED] * 4 + [OUTAGE], OPEN),
    ],
)
def test_opens_after_five_outages_in_a_row(results, state):
    bench = Bench(*results)
    assert bench.breaker.state is state
    assert bench.told == [False] * (len(results) - 1) + [state is OPEN]


@pytest.mark.parametrize(
    ("result", "outage"),
    [(OUTAGE, True), (TIMEOUT, True), (THROTTLED, False), (REFUSED, False), (ACCEPTED, False)],
)
def test_what_is_an_outage(result, outage):
    assert is_outage(result) is outage


def test_open_for_thirty_seconds_and_says_why_and_how_long():
    bench = opened()
    assert (bench.breaker.reason, bench.breaker.blocked_s) == ("HTTP 503", OPEN_S)
    bench.now += 29.5
    assert bench.breaker.blocked_s == pytest.approx(0.5)
    bench.now += 0.5
    assert (bench.breaker.state, bench.breaker.blocked_s) == (OPEN, 0)
    bench.now += 1000
    assert bench.breaker.blocked_s == 0


def test_admits_exactly_one_probe():
    bench = opened(probing=True)
    assert bench.breaker.state is HALF_OPEN
    for _ in range(100):
        bench.now += 1
        assert bench.breaker.blocked_s > 0


@pytest.mark.parametrize(
    ("answer", "state", "blocked_s"),
    [
        (ACCEPTED, CLOSED, 0),
        (REFUSED, CLOSED, 0),
        (THROTTLED, CLOSED, 0),
        (OUTAGE, OPEN, OPEN_S),
        (TIMEOUT, OPEN, OPEN_S),
    ],
)
def test_the_probe_closes_it_or_opens_it_for_another_thirty_seconds(answer, state, blocked_s):
    bench = opened(probing=True)
    bench.now += 5  # the call took its time
    assert bench.breaker.report(answer, probe=True)
    assert (bench.breaker.state, bench.breaker.blocked_s) == (state, blocked_s)


def test_a_closed_breaker_begins_to_count_anew():
    bench = opened(probing=True)
    bench.breaker.report(ACCEPTED, probe=True)
    assert [bench.call(OUTAGE) for _ in range(FAILURES)] == [False] * 4 + [True]


def test_every_probe_is_one_call_however_long_the_outage_lasts():
    bench, calls = opened(), 0
    end = bench.now + 301
    while bench.now < end:
        if bench.breaker.blocked_s == 0:
            bench.call(OUTAGE)
            calls += 1
        bench.now += 0.5
    assert calls == 10
    bench.now += OPEN_S
    assert bench.call(ACCEPTED)
    assert bench.breaker.state is CLOSED


def test_a_probe_given_up_lets_the_next_one_try_at_once():
    bench = opened(probing=True)
    bench.breaker.give_up_probe()
    assert (bench.breaker.state, bench.breaker.blocked_s) == (HALF_OPEN, 0)
    assert bench.breaker.begin()
    assert bench.breaker.blocked_s > 0


@pytest.mark.parametrize("probing", [False, True])
@pytest.mark.parametrize("late", [ACCEPTED, REFUSED, OUTAGE, TIMEOUT, THROTTLED])
def test_late_answers_teach_nothing_while_it_is_not_closed(late, probing):
    bench = opened(probing=probing)
    before = (bench.breaker.state, bench.breaker.blocked_s, bench.breaker.reason)
    assert [bench.breaker.report(late, probe=False) for _ in range(20)] == [False] * 20
    assert (bench.breaker.state, bench.breaker.blocked_s, bench.breaker.reason) == before
