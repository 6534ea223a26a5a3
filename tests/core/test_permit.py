"""The permit of one delivery: checked again before the call, given back when not used."""

import asyncio

import pytest

from notistream.delivery.ports import Blocked
from notistream.domain.outcome import Accepted, Permanent
from notistream.providers.breaker import BreakerState
from tests.core.channel_bench import OUTAGE, ChannelBench
from tests.core.virtual_time import virtual_time


@pytest.mark.parametrize("rate", [0, 100])
@virtual_time
async def test_a_probe_that_calls_nobody_lets_the_next_one_try_and_says_so(rate):
    bench = ChannelBench("a", rate)
    bench.open("a")
    await asyncio.sleep(30)
    for _ in range(3):  # cancelled meanwhile, stopped by a gate, a stale copy …
        permit = await bench.admitted()
        changes = bench.changes
        permit.close()
        assert bench.changes == changes + 1
    assert await bench.call(Accepted("m1")) == "a"
    assert bench.breaker("a").state is BreakerState.CLOSED


@virtual_time
async def test_a_breaker_that_opens_or_a_pause_stops_a_permit_that_was_given_before():
    for stop, gate, back_soon in (
        (ChannelBench.open, "breaker", True),
        (ChannelBench.pause, "pause", False),
    ):
        bench = ChannelBench("a")
        permit = bench.channel.admit(1)
        stop(bench, "a")
        blocked = await permit.route(None)
        permit.close()
        assert blocked.gate == gate
        assert (
            blocked.for_s < 1
        ) is back_soon  # a breaker is this worker's own: its lane waits, the message does not


@virtual_time
async def test_a_permit_from_before_the_outage_is_no_second_probe():
    """As after a claim that waited for PostgreSQL for half a minute."""
    bench = ChannelBench("a")
    old = [bench.channel.admit(64) for _ in range(20)]
    bench.open("a")
    await asyncio.sleep(31)
    routes = [await permit.route(None) for permit in old]
    assert sum(route == "a" for route in routes) <= 1
    assert not isinstance(bench.channel.admit(1), Blocked) or "a" in routes


@virtual_time
async def test_a_permit_whose_breaker_opened_meanwhile_goes_to_the_next_provider():
    bench = ChannelBench()
    permit = bench.channel.admit(1)
    bench.open("a")
    route = await permit.route(None)
    assert (
        route == "b" or route.for_s < 1
    )  # called now, or queued again at once; not after the 30 s of `a`


@pytest.mark.parametrize("rate", [0, 100])
@pytest.mark.parametrize(
    ("preferred", "opened", "paused", "expected"),
    [
        (None, "", "", "a"),
        ("a", "", "", "a"),
        ("b", "", "", "b"),
        ("c", "", "", "c"),
        ("b", "b", "", "a"),
        ("b", "", "b", "a"),
        ("gone", "", "", "a"),
        ("a", "a", "", "b"),
        ("c", "a", "", "c"),
    ],
)
@virtual_time
async def test_the_preferred_provider_is_called_where_that_is_possible(
    preferred, opened, paused, expected, rate
):
    bench = ChannelBench("abc", rate)
    bench.open(*opened)
    bench.pause(*paused)
    assert await bench.call(Accepted("m1"), preferred) == expected


@virtual_time
async def test_the_preferred_provider_does_not_take_more_than_its_rate():
    bench = ChannelBench(rate=10)
    assert [await bench.call(Accepted("m1"), "b") for _ in range(30)].count("b") >= 15
    assert max(bench.slots.used.values()) == 1


@pytest.mark.parametrize(
    ("called", "opened", "paused", "following"),
    [
        ("a", "", "", "b"),
        ("a", "b", "", "c"),
        ("a", "", "b", "c"),
        ("a", "b", "c", None),
        ("b", "", "", "c"),
        ("c", "", "", None),
        ("c", "b", "", None),
    ],
)
@virtual_time
async def test_failover_goes_to_the_next_that_could_be_called_and_ends_with_the_list(
    called, opened, paused, following
):
    bench = ChannelBench("abc")
    bench.open(*opened)
    bench.pause(*paused)
    permit = bench.channel.admit(1)
    assert await permit.route(called) == called
    permit.report(OUTAGE)
    assert permit.failover() == following


@virtual_time
async def test_a_permit_that_calls_nobody_gives_its_token_back_and_one_that_calls_does_not():
    bench = ChannelBench("a", rate=10)
    for preferred in (None, "gone"):
        permit = await bench.admitted()
        permit.close()
        again = bench.channel.admit(1)
        assert again.token is permit.token
        await again.route(preferred)
        again.report(Accepted("m1"))
        again.close()
        assert bench.channel.admit(1) == Blocked("bucket", "the rate of a is used up", 0.1)


@virtual_time
async def test_moving_to_another_provider_gives_the_first_ones_token_back():
    bench = ChannelBench(rate=10)
    bench.channel.find("b").bucket.take(1)
    permit = await bench.admitted()
    token = permit.token
    assert await permit.route("b") == "b"
    assert bench.channel.admit(1).token is token


@virtual_time
async def test_no_token_within_about_a_second_blocks_and_gives_the_probe_back():
    bench = ChannelBench("a", rate=10)
    bench.open("a")
    await asyncio.sleep(30)
    probe = await bench.admitted()
    await asyncio.sleep(0.2)  # its token has lapsed
    bench.slots.exhausted = True
    assert await probe.route(None) == Blocked("bucket", "the rate of a is used up", 0.1)
    probe.close()
    bench.slots.exhausted = False
    assert await bench.call(Permanent("HTTP 400")) == "a"
    assert bench.breaker("a").state is BreakerState.CLOSED


@virtual_time
async def test_a_breaker_that_opens_while_a_permit_waits_for_a_token_stops_it():
    bench = ChannelBench("a", rate=10)
    permit = await bench.admitted()
    await asyncio.sleep(0.2)  # its token has lapsed
    bench.slots.exhausted = True
    asyncio.get_running_loop().call_later(0.2, bench.open, "a")
    asyncio.get_running_loop().call_later(0.4, setattr, bench.slots, "exhausted", False)
    assert (await permit.route(None)).gate == "breaker"
    permit.close()
    await asyncio.sleep(30)
    assert await bench.call(Accepted("m1")) == "a"


@virtual_time
async def test_every_further_call_of_an_attempt_takes_a_token_of_its_own():
    bench = ChannelBench("a", rate=10)
    permit = await bench.admitted()
    assert await permit.route(None) == "a"
    assert [await permit.another() for _ in range(5)] == [True] * 5
    assert max(bench.slots.used.values()) == 1
    bench.slots.exhausted = True
    await asyncio.sleep(0.5)  # what was leased before has lapsed
    assert not await permit.another()
    free = ChannelBench("a")
    assert await free.channel.admit(1).another()
