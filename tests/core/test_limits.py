"""The gates that count: the rate per recipient and channel, and the recipient's own caps."""

import heapq
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from notistream.delivery.gates import PASSED, Passed, Stopped
from notistream.delivery.limits import MOVED_S, UNKNOWN_S, RecipientLimit, within_cap
from notistream.delivery.ports import CapUse
from notistream.domain.notification import Status
from notistream.domain.preference import ChannelPreference, FrequencyCap, Preferences
from notistream.domain.rate_limit import TICK_S, Rate
from tests.core.delivery_fakes import CLAIMED, NOW, ORIGIN, RecipientCounts

START = NOW.timestamp()  # a full minute


def at(seconds, **fields):
    return replace(CLAIMED, claimed_at=datetime.fromtimestamp(START + seconds, UTC), **fields)


def of(recipient):
    return replace(ORIGIN, key=recipient)


async def test_no_limit_asks_nobody():
    assert await RecipientLimit(None, Rate(0, 1)).check(at(0), ORIGIN) == PASSED


async def test_the_limit_lets_as_many_through_and_says_when_the_next_may():
    limit = RecipientLimit(RecipientCounts(), Rate(3, 60))
    verdicts = [await limit.check(at(seconds), ORIGIN) for seconds in (1, 2, 3, 4)]
    assert [type(verdict) for verdict in verdicts] == [Passed] * 3 + [Stopped]
    assert [verdict.step.inputs["current"] for verdict in verdicts] == [0, 1, 2, 3]
    stopped = verdicts[-1]
    assert (stopped.status, stopped.step.gate, stopped.step.verdict) == (
        Status.DEFERRED,
        "recipient_limit",
        "deferred",
    )
    assert stopped.step.reason == "the recipient's limit of 3/60s is reached"
    inputs = dict(stopped.step.inputs)
    assert inputs.pop("window") % 60 == 0
    assert inputs == {"limit": "3/60s", "current": 3, "previous": 0, "estimate": 3.0}
    assert stopped.delay_s == pytest.approx(56 + TICK_S, abs=1e-5)
    assert stopped.step.next_eligible_at.timestamp() == pytest.approx(START + 60 + TICK_S, abs=1e-5)


@pytest.mark.parametrize(
    ("second", "passes"),
    [(59.999, False), (60.0, False), (60.002, True), (119.0, True), (200.0, True)],
)
async def test_the_boundary_of_the_window(second, passes):
    limit = RecipientLimit(RecipientCounts(), Rate(3, 60))
    for early in (1, 2, 3):
        await limit.check(at(early), ORIGIN)
    assert isinstance(await limit.check(at(second), ORIGIN), Passed) is passes


async def test_recipients_and_channels_are_counted_apart():
    limit = RecipientLimit(RecipientCounts(), Rate(1, 60))
    assert isinstance(await limit.check(at(1), ORIGIN), Passed)
    assert isinstance(await limit.check(at(1), ORIGIN), Stopped)
    assert isinstance(await limit.check(at(1, channel="email"), ORIGIN), Passed)
    assert isinstance(await limit.check(at(1), of(b"tenant:other")), Passed)
    assert isinstance(await limit.check(at(1), of(b"other:+905000000001")), Passed)


async def test_the_deferred_come_back_at_the_pace_of_the_limit():
    limit = RecipientLimit(RecipientCounts(), Rate(5, 60))
    verdicts = [await limit.check(at(1 + n / 1000), ORIGIN) for n in range(25)]
    due = [v.step.next_eligible_at.timestamp() - START for v in verdicts[5:]]
    assert due == pytest.approx([60 + TICK_S + 12 * n for n in range(20)], abs=1e-4)


async def test_one_recipients_line_does_not_push_another_back():
    limit = RecipientLimit(RecipientCounts(), Rate(1, 60))
    for _ in range(50):
        await limit.check(at(1), ORIGIN)
    for _ in range(2):
        other = await limit.check(at(1), of(b"tenant:other"))
    assert other.delay_s == pytest.approx(59 + TICK_S, abs=1e-5)


async def test_a_partition_that_moved_away_and_a_count_that_was_not_kept_defer():
    counts = RecipientCounts()
    limit = RecipientLimit(counts, Rate(5, 60))
    counts.moved = True
    moved = await limit.check(at(1), ORIGIN)
    assert (moved.status, moved.delay_s, moved.step.reason) == (
        Status.DEFERRED,
        MOVED_S,
        "its partition has moved to another worker",
    )
    counts.moved, counts.is_kept = False, False
    lost = await limit.check(at(1), ORIGIN)
    assert (lost.status, lost.delay_s, lost.step.reason) == (
        Status.DEFERRED,
        UNKNOWN_S,
        "the count could not be kept",
    )


async def drain(rate, arrivals, *, late_s=0.0):
    """Let each message ask when it arrives, and again whenever it is due.

    When each passed, how often they asked.
    """
    limit = RecipientLimit(RecipientCounts(), rate)
    waiting = [(moment, n) for n, moment in enumerate(arrivals)]
    heapq.heapify(waiting)
    passed, asked = {}, 0
    while waiting:
        moment, n = heapq.heappop(waiting)
        asked += 1
        verdict = await limit.check(at(moment), ORIGIN)
        if isinstance(verdict, Passed):
            passed[n] = moment
        else:
            heapq.heappush(waiting, (moment + verdict.delay_s + late_s, n))
    return passed, asked


@pytest.mark.parametrize("rate", [Rate(5, 60), Rate(60, 60), Rate(50, 2), Rate(1, 10)], ids=str)
@pytest.mark.parametrize("late_s", [0.0, 0.02, 0.7])
async def test_a_burst_is_let_through_in_order_with_two_questions_each(rate, late_s):
    count = 20 * rate.count
    passed, asked = await drain(rate, [n / 1e4 for n in range(count)], late_s=late_s)
    assert (
        max(Counter((START + moment) // rate.window_s for moment in passed.values()).values())
        <= rate.count
    )
    assert list(passed) == sorted(passed)
    assert asked <= 2.1 * count
    assert max(passed.values()) < 1.2 * 20 * rate.window_s


async def test_who_was_deferred_is_not_overtaken_for_ever_by_those_who_come_later():
    rate = Rate(10, 10)
    burst = [n / 1e4 for n in range(50)]
    steady = [
        10 + n * 1.25 for n in range(400)
    ]  # four fifths of the limit, so the burst has room to drain
    passed, asked = await drain(rate, burst + steady)
    assert max(passed[n] for n in range(50)) < 400
    assert asked <= 5 * 450


async def test_what_is_remembered_of_lines_is_bounded():
    limit = RecipientLimit(RecipientCounts(), Rate(1, 1))
    for n in range(12_000):
        for _ in range(2):
            await limit.check(at(n / 1000), of(b"tenant:%d" % n))
    assert len(limit._promised) <= 10_001


CAPPED = replace(
    CLAIMED,
    recipient_id="u1",
    preferences=Preferences({"sms": ChannelPreference(frequency_cap=FrequencyCap(5, 86_400))}),
)
HOUR = timedelta(hours=1)


class Uses:
    """Implements `Caps` for one recipient."""

    def __init__(self, answer):
        self.answer = answer
        self.asked = []

    async def take(self, claimed, cap):
        self.asked.append(cap)
        return self.answer


@pytest.mark.parametrize(
    ("answer", "delay_s"),
    [
        (CapUse(allowed=True, used=0), None),
        (CapUse(allowed=True, used=4, free_at=NOW + HOUR), None),
        (CapUse(allowed=False, used=5, free_at=NOW + HOUR), 3600),
        (CapUse(allowed=False, used=9, free_at=NOW + HOUR), 3600),
        (CapUse(allowed=False, used=5, free_at=NOW - HOUR), 1),  # free since the question was asked
        (CapUse(allowed=False, used=0, free_at=None), 86_400),  # a cap of none
    ],
)
async def test_caps(answer, delay_s):
    verdict = await within_cap(CAPPED, Uses(answer))
    assert verdict.step.inputs == {"count": 5, "window_s": 86_400, "used": answer.used}
    if delay_s is None:
        assert isinstance(verdict, Passed)
        return
    assert (verdict.status, verdict.delay_s, verdict.step.gate) == (
        Status.DEFERRED,
        delay_s,
        "frequency_cap",
    )
    assert verdict.step.next_eligible_at == (answer.free_at or NOW + timedelta(days=1))
    assert "5 per" in verdict.step.reason


@pytest.mark.parametrize(
    "claimed",
    [
        CLAIMED,
        replace(CLAIMED, recipient_id="u1"),
        replace(CAPPED, channel="email"),
        replace(CAPPED, recipient_id=None),
    ],
)
async def test_no_cap_asks_nobody(claimed):
    uses = Uses(CapUse(allowed=False, used=99))
    assert await within_cap(claimed, uses) == PASSED
    assert uses.asked == []
