"""Limits: how they are written, and what a sliding window says of the next use."""

import random
from collections import Counter

import pytest

from notistream.domain.rate_limit import TICK_S, Rate, Usage, parse_rate, spacing_s, wait_s

LATE = 1_780_000_000.0  # of this size are the clocks that are asked


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("60/minute", Rate(60, 60)),
        ("100/second", Rate(100, 1)),
        ("5/hour", Rate(5, 3600)),
        ("1/day", Rate(1, 86_400)),
        ("50/2s", Rate(50, 2)),
        ("5/10m", Rate(5, 600)),
        ("3/12h", Rate(3, 43_200)),
        (" 60/minute\n", Rate(60, 60)),
        ("0", Rate(0, 1)),
        (" 0 ", Rate(0, 1)),
        ("0/minute", Rate(0, 60)),
        ("999999999/999999h", Rate(999_999_999, 3_599_996_400)),
    ],
)
def test_rates(text: str, rate: Rate) -> None:
    assert parse_rate(text) == rate


def test_a_rate_is_shown_as_it_could_be_written() -> None:
    assert [str(Rate(60, 60)), str(Rate(50, 2)), str(Rate(0, 60))] == ["60/60s", "50/2s", "0"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "60",
        "minute",
        "60/",
        "/minute",
        "60/minutes",
        "60 / minute",
        "-1/minute",
        "+1/minute",
        "1.5/minute",
        "1e3/minute",
        "60/0s",
        "60/00m",
        "60/s",
        "60/-2s",
        "60/2",
        "60/2d",
        "60/1234567s",
        "1234567890/minute",
        "٦٠/minute",
        "60/minute 1",
        "60/minute,5/second",
        "00",
    ],
)
def test_what_is_no_rate(text: str) -> None:
    with pytest.raises(ValueError, match="such as 60/minute"):
        parse_rate(text)


@pytest.mark.parametrize(
    ("rate", "usage", "expected"),
    [
        (Rate(0, 60), Usage(LATE, 10**6, 10**6), 0.0),
        (Rate(5, 60), Usage(600.0, 0, 0), 0.0),
        (Rate(5, 60), Usage(600.0, 4, 0), 0.0),
        (Rate(5, 60), Usage(630.0, 4, 1), 0.0),  # 4 + half of 1
        (
            Rate(5, 60),
            Usage(600.0, 0, 5),
            TICK_S,
        ),  # 5 of the window before, all of them still in sight
        (Rate(5, 60), Usage(630.0, 3, 5), 6 + TICK_S),  # 3 + 5 × 24/60 = 5 at second 36
        (Rate(5, 60), Usage(630.0, 5, 0), 30 + TICK_S),  # the window is full: the next one
        (
            Rate(5, 60),
            Usage(630.0, 10, 0),
            60 + TICK_S,
        ),  # the limit was higher before: half of the next one
        (Rate(1, 60), Usage(600.0, 0, 1), TICK_S),
        (Rate(1, 60), Usage(659.0, 1, 1), 1 + TICK_S),
    ],
)
def test_waits(rate: Rate, usage: Usage, expected: float) -> None:
    assert wait_s(rate, usage) == pytest.approx(expected, abs=1e-9)


def later(usage: Usage, seconds: float, window_s: int) -> Usage:
    """The same uses, looked at later."""
    at = usage.now_s + seconds
    match at // window_s - usage.now_s // window_s:
        case 0:
            return Usage(at, usage.current, usage.previous)
        case 1:
            return Usage(at, 0, usage.current)
        case _:
            return Usage(at, 0, 0)


def test_after_the_wait_there_is_room_and_not_before() -> None:
    chance = random.Random("waits")
    waited = 0
    for _ in range(5000):
        rate = Rate(chance.choice([1, 2, 5, 60, 1000]), chance.choice([1, 2, 60, 3600, 86_400]))
        most = rate.count * chance.choice([1, 1, 1, 3])  # 3: the limit was lowered meanwhile
        usage = Usage(
            LATE + chance.random() * 2 * rate.window_s,
            chance.randint(0, most),
            chance.randint(0, most),
        )
        wait = wait_s(rate, usage)
        waited += wait > 0
        assert 0 <= wait < 2 * rate.window_s + TICK_S
        assert later(usage, wait, rate.window_s).estimate(rate.window_s) < rate.count, (
            rate,
            usage,
            wait,
        )
        if wait > 2 * TICK_S:
            early = later(usage, wait - 2 * TICK_S, rate.window_s)
            assert early.estimate(rate.window_s) >= rate.count, (rate, usage, wait)
    assert waited > 1000


def sends(rate: Rate, *, windows: int, pause_s: float, chance: random.Random) -> list[float]:
    """When a sender that tries again as soon as it may, and pauses now and then, is let through."""
    start = LATE + chance.random() * rate.window_s
    now, taken, found = start, Counter[float](), []
    while now < start + windows * rate.window_s:
        window = now // rate.window_s
        wait = wait_s(rate, Usage(now, taken[window], taken[window - 1]))
        if wait == 0.0:
            taken[window] += 1
            found.append(now)
        now += wait or chance.expovariate(1) * pause_s
    return found


@pytest.mark.parametrize(
    "rate",
    [Rate(1, 2), Rate(5, 60), Rate(50, 2), Rate(60, 60), Rate(100, 1), Rate(7, 3600)],
    ids=str,
)
def test_a_stream_never_has_more_than_the_limit_in_a_window_nor_twice_as_many_in_any_span(
    rate: Rate,
) -> None:
    for seed in range(10):
        chance = random.Random(seed)
        pause_s = (
            rate.window_s / rate.count * chance.choice([0.0001, 0.01, 0.3])
        )  # always faster than the limit
        found = sends(rate, windows=20, pause_s=pause_s, chance=chance)
        assert max(Counter(at // rate.window_s for at in found).values()) <= rate.count
        for oldest, newest in zip(found, found[2 * rate.count :], strict=False):
            assert newest - oldest > rate.window_s, "more than twice the limit in one span"
        assert len(found) > 20 * rate.count / 2, "the limit is used, not only kept"


def test_a_burst_after_silence_is_let_through_at_once() -> None:
    rate = Rate(10, 60)
    assert all(wait_s(rate, Usage(LATE, used, 0)) == 0 for used in range(10))
    assert wait_s(rate, Usage(LATE, 10, 0)) > 0


@pytest.mark.parametrize(
    ("rate", "seconds"), [(Rate(100, 1), 0.01), (Rate(5, 60), 12.0), (Rate(0, 1), 0.0)]
)
def test_spacing(rate: Rate, seconds: float) -> None:
    assert spacing_s(rate) == pytest.approx(seconds)
