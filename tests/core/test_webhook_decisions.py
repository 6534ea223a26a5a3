"""What follows from the answer to a webhook call: a table, and the schedule under a clock of the
test's own.
"""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from notistream.domain.webhook import (
    FAILING_FOR,
    SCHEDULE_S,
    Disable,
    GiveUp,
    NoReply,
    Received,
    Reply,
    RetryLater,
    Verdict,
    decide,
)

NOW = datetime(2026, 1, 31, 9, 0, tzinfo=UTC)
LONG_AGO = NOW - FAILING_FOR
DAYS = Disable("every call has failed for 5 days", LONG_AGO)
REDIRECT = "HTTP 302: redirects are not followed"

CASES = [
    (Reply(200), 1, None, Verdict(Received())),
    (Reply(204), 8, LONG_AGO, Verdict(Received())),
    (Reply(299), 1, None, Verdict(Received())),
    (Reply(302), 1, None, Verdict(RetryLater(5, REDIRECT))),
    (Reply(302), 8, None, Verdict(GiveUp(f"{REDIRECT} (after 8 attempts)"))),
    (Reply(400), 1, None, Verdict(RetryLater(5, "HTTP 400"))),
    (Reply(404), 2, None, Verdict(RetryLater(300, "HTTP 404"))),
    (Reply(500), 3, None, Verdict(RetryLater(1800, "HTTP 500"))),
    (Reply(500), 7, None, Verdict(RetryLater(36_000, "HTTP 500"))),
    (Reply(500), 8, None, Verdict(GiveUp("HTTP 500 (after 8 attempts)"))),
    (Reply(429, 60), 1, None, Verdict(RetryLater(60, "HTTP 429"))),
    (Reply(429, 60), 2, None, Verdict(RetryLater(300, "HTTP 429"))),
    (Reply(503, 3600), 2, None, Verdict(RetryLater(3600, "HTTP 503"))),
    (
        Reply(410),
        1,
        None,
        Verdict(GiveUp("HTTP 410: the endpoint is gone"), Disable("it answered 410 Gone")),
    ),
    (NoReply("no answer in time"), 1, None, Verdict(RetryLater(5, "no answer in time"))),
    (
        NoReply("no answer in time"),
        8,
        None,
        Verdict(GiveUp("no answer in time (after 8 attempts)")),
    ),
    (Reply(500), 1, LONG_AGO, Verdict(RetryLater(5, "HTTP 500"), DAYS)),
    (NoReply("x"), 8, LONG_AGO, Verdict(GiveUp("x (after 8 attempts)"), DAYS)),
    (Reply(500), 1, LONG_AGO + timedelta(seconds=1), Verdict(RetryLater(5, "HTTP 500"))),
]


@pytest.mark.parametrize(("result", "attempts", "failing_since", "verdict"), CASES)
def test_decision(result, attempts, failing_since, verdict):
    assert decide(result, attempts=attempts, failing_since=failing_since, now=NOW) == verdict


def test_the_attempts_follow_the_schedule_under_a_fake_clock():
    now, calls = NOW, []
    while True:
        calls.append(now)
        verdict = decide(NoReply("down"), attempts=len(calls), failing_since=calls[0], now=now)
        if isinstance(verdict.delivery, GiveUp):
            break
        now += timedelta(seconds=verdict.delivery.delay_s)
    waits = [(later - earlier).total_seconds() for earlier, later in pairwise(calls)]
    assert waits == [5, 300, 1800, 7200, 18_000, 36_000, 36_000]
    assert now - NOW == timedelta(hours=27, minutes=35, seconds=5)
    assert [0, *waits] == list(SCHEDULE_S)
