"""Admission: which provider of a channel may be called now, and who is asked first."""

import asyncio
from collections import Counter

import pytest

from notistream.delivery.ports import Blocked
from notistream.domain.notification import Priority
from notistream.domain.outcome import Accepted
from notistream.observability import metrics
from notistream.providers.admission import PAUSED_S, Admission
from notistream.providers.breaker import BreakerState
from notistream.settings.model import Settings
from tests.core.channel_bench import OUTAGE, ChannelBench
from tests.core.token_slots import TokenSlots
from tests.core.virtual_time import now, virtual_time


@pytest.mark.parametrize(
    ("opened", "paused", "expected"),
    [
        ("", "", "a"),
        ("b", "", "a"),
        ("c", "b", "a"),
        ("a", "", "b"),
        ("", "a", "b"),
        ("ab", "", "c"),
        ("a", "b", "c"),
        ("abc", "", Blocked("breaker", "the breaker of a is open: HTTP 503", 20.0)),
        ("ab", "c", Blocked("breaker", "the breaker of a is open: HTTP 503", 20.0)),
        ("c", "ab", Blocked("breaker", "the breaker of c is open: HTTP 503", 20.0)),
        ("", "abc", Blocked("pause", "paused: sms/a", PAUSED_S)),
    ],
)
@virtual_time
async def test_the_first_provider_that_can_be_called_or_what_ends_soonest(opened, paused, expected):
    bench = ChannelBench("abc")
    bench.open(*opened)
    bench.pause(*paused)
    await asyncio.sleep(10)
    permit = bench.channel.admit(1)
    if isinstance(expected, str):
        assert await permit.route(None) == expected
    else:
        assert (permit.gate, permit.reason) == (expected.gate, expected.reason)
        assert permit.for_s == pytest.approx(expected.for_s)


@virtual_time
async def test_tokens_used_up_do_not_send_it_to_the_next_provider():
    bench = ChannelBench(rate=10)
    first = await bench.admitted()
    assert bench.channel.admit(1) == Blocked("bucket", "the rate of a is used up", 0.1)
    assert await first.route(None) == "a"


@virtual_time
async def test_after_thirty_seconds_one_call_may_try_and_all_others_wait():
    bench = ChannelBench("a")
    bench.open("a")
    await asyncio.sleep(30)
    probe = bench.channel.admit(64)
    assert await probe.route(None) == "a"
    for _ in range(50):
        assert bench.channel.admit(64).gate == "breaker"
    probe.report(Accepted("m1"))
    probe.close()
    assert bench.breaker("a").state is BreakerState.CLOSED
    assert await bench.channel.admit(1).route(None) == "a"


@virtual_time
async def test_others_go_to_the_next_provider_while_one_tries():
    bench = ChannelBench()
    bench.open("a")
    await asyncio.sleep(30)
    probe, other = bench.channel.admit(2), bench.channel.admit(1)
    assert [await probe.route("b"), await other.route(None)] == ["a", "b"]


@virtual_time
async def test_only_probes_call_while_the_outage_lasts():
    bench, calls = ChannelBench("a"), []

    async def lane():
        while now() < 1000 + 301:
            permit = bench.channel.admit(64)
            if isinstance(permit, Blocked):
                await asyncio.sleep(0.2)
                continue
            assert await permit.route(None) == "a"
            calls.append(now())
            await asyncio.sleep(0.05)
            permit.report(OUTAGE)
            permit.close()

    await asyncio.gather(*(lane() for _ in range(3)))
    assert 5 <= len([at for at in calls if at < 1001]) <= 7  # the others were on their way
    assert 9 <= len([at for at in calls if at >= 1001]) <= 10


@virtual_time
async def test_lanes_are_asked_again_when_a_breaker_opens_may_be_tried_and_closes():
    bench = ChannelBench("a")
    bench.open("a")
    assert bench.changes == 1
    await asyncio.sleep(29.9)
    assert bench.changes == 1
    await asyncio.sleep(0.2)
    assert bench.changes == 2
    assert await bench.call(OUTAGE) == "a"
    assert bench.changes == 3
    await asyncio.sleep(30.1)
    assert bench.changes == 4
    assert await bench.call(Accepted("m1")) == "a"
    assert bench.changes == 5


@virtual_time
async def test_the_gauge_follows_the_state_of_the_breaker():
    bench = ChannelBench("a")

    def shown():
        return metrics.REGISTRY.get_sample_value(
            "notistream_breaker_state", {"channel": "sms", "provider": "a"}
        )

    bench.open("a")
    assert shown() == 2
    await asyncio.sleep(30)
    probe = bench.channel.admit(1)
    assert shown() == 1
    probe.report(Accepted("m1"))
    assert shown() == 0


@virtual_time
async def test_the_most_urgent_lane_is_served_first_and_no_lane_starves():
    bench, served = ChannelBench("a", rate=100), Counter()
    for priority in Priority:
        door = bench.channel.lane(priority)

        def pump(door=door, priority=priority):
            while not isinstance(permit := door.admit(64), Blocked):
                permit.called = True
                served[priority] += 1

        door.on_change(pump)
    bench.channel.changed()
    await asyncio.sleep(60)
    assert served.total() >= 5500
    assert served[Priority.HIGH] > served.total() / 2
    assert served[Priority.NORMAL] >= served[Priority.LOW] > 100


@virtual_time
async def test_the_settings_say_which_rate_holds_and_operators_what_is_paused():
    settings = Settings(
        rate_limit_per_channel=100, provider_rate_limits={"b": 50, "sms/b": 20, "c": 0}
    )
    admission = Admission(settings, {"sms": ["a", "b", "c"], "email": ["b"]}, TokenSlots().lease)
    rates = {
        (name, route.provider): route.bucket and route.bucket.rate
        for name, channel in admission.channels.items()
        for route in channel.routes
    }
    assert rates == {("sms", "a"): 100, ("sms", "b"): 20, ("sms", "c"): None, ("email", "b"): 50}

    admission.pause({("sms", "a"): "paused: sms/a"})
    sms, email = admission.channels["sms"], admission.channels["email"]
    assert [route.paused for route in sms.routes] == ["paused: sms/a", None, None]
    admission.pause({("sms", None): "paused: sms"})
    assert {route.paused for route in sms.routes} == {"paused: sms"}
    assert [route.paused for route in email.routes] == [None]
    admission.pause({})
    assert {route.paused for route in sms.routes} == {None}

    assert list(admission.tripped()) == []
    for _ in range(5):
        email.routes[0].breaker.report(OUTAGE, probe=False)
    ((channel, provider, breaker),) = admission.tripped()
    assert (channel, provider, breaker.reason) == ("email", "b", "HTTP 503")
    admission.close()
