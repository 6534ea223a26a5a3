"""The token bucket: never early, never late, never more than the rate, and no more questions than
needed.
"""

import asyncio
import random
from bisect import bisect_left
from collections import Counter

import pytest

from notistream.errors import DatabaseUnavailable
from notistream.providers.bucket import AGAIN_S, Bucket
from tests.core.token_slots import SLOT_S, TokenSlots, slot_of
from tests.core.virtual_time import now, virtual_time


class Customer:
    """Takes all available tokens whenever the bucket calls, as a lane does, until it has enough."""

    def __init__(self, slots, rate=100, wanted=64, name="sms/webhook"):
        self.slots = slots
        self.left = wanted
        self.taken = []
        self.calls = 0
        self.bucket = Bucket(name, rate, lease=slots.lease, clock=now, on_arrival=self.serve)

    def serve(self):
        self.calls += 1
        while self.left and (token := self.bucket.take(self.left)):
            self.taken.append((now(), token))
            self.left -= 1

    def per_slot(self):
        return Counter(slot_of(at) for at, _ in self.taken)


async def fetched(bucket, wanted=1):
    """The first token of a bucket."""
    assert bucket.take(wanted) is None
    await asyncio.sleep(0.005)
    return bucket.take(wanted)


def quiet(slots, rate=100):
    return Bucket("sms/webhook", rate, lease=slots.lease, clock=now, on_arrival=lambda: None)


@virtual_time
async def test_a_token_of_a_future_slot_is_not_given_out_early_and_a_lapsed_one_never():
    customer = Customer(TokenSlots(), wanted=1000)
    customer.serve()
    await asyncio.sleep(3)
    assert len(customer.taken) > 200
    for at, token in customer.taken:
        assert token.begins <= at < token.ends


@pytest.mark.parametrize(("way_s", "least"), [(0.001, 490), (0.02, 490), (0.04, 350)])
@virtual_time
async def test_the_rate_is_kept_in_every_slot_and_little_of_it_is_wasted(way_s, least):
    customer = Customer(TokenSlots(way_s=way_s), wanted=1000)
    customer.serve()
    await asyncio.sleep(5)
    assert max(customer.per_slot().values()) == 10
    assert len(customer.taken) >= least


@virtual_time
async def test_what_was_not_taken_in_its_slot_is_gone():
    slots = TokenSlots()
    bucket = quiet(slots)
    assert bucket.take(30) is None
    await asyncio.sleep(0.35)  # three slots' tokens have come and gone
    assert slots.used.total() == 20  # all of the first slot's, half of each of the two behind it
    assert bucket.take(1) is None


@pytest.mark.parametrize("rate", [0.5, 1, 3, 15, 100, 2000])
@virtual_time
async def test_two_workers_share_the_rate_and_an_idle_one_leaves_its_share(rate):
    slots = TokenSlots()
    busy, other = Customer(slots, rate, wanted=10**6), Customer(slots, rate, wanted=0)
    busy.serve()
    await asyncio.sleep(20)
    assert 0.95 * 20 * rate - 1 <= len(busy.taken) <= 20.1 * rate + 1
    busy.taken.clear()
    other.left = 10**6
    other.serve()
    await asyncio.sleep(20)
    both = busy.per_slot() + other.per_slot()
    assert 0.95 * 20 * rate - 1 <= both.total() <= 20.1 * rate + 1
    assert all(both[slot] <= slots.used["sms/webhook", slot] for slot in both)
    assert len(other.taken) > 0


@virtual_time
async def test_questions_that_come_while_one_is_on_its_way_are_one_question():
    slots = TokenSlots(way_s=0.01)
    bucket = quiet(slots)
    for _ in range(50):
        assert bucket.take(50) is None
        await asyncio.sleep(0)
    await asyncio.sleep(0.03)
    assert slots.asked == [50]
    assert bucket.take(1) is not None
    assert slots.asked == [50]  # there are enough


@pytest.mark.parametrize("error", [None, DatabaseUnavailable(), ValueError("a defect")])
@virtual_time
async def test_an_exhausted_or_failing_lease_is_asked_again_now_and_then(error):
    slots = TokenSlots()
    slots.exhausted, slots.error = error is None, error
    customer = Customer(slots)
    customer.serve()
    await asyncio.sleep(1)
    assert 10 <= len(slots.asked) <= 1 / AGAIN_S + 1
    slots.exhausted, slots.error = False, None
    await asyncio.sleep(1)
    assert customer.left == 0


@virtual_time
async def test_a_busy_lane_does_not_make_an_exhausted_lease_be_asked_more_often():
    slots = TokenSlots()
    slots.exhausted = True
    customer = Customer(slots)
    for _ in range(1000):  # every record that arrives and every delivery that ends asks again
        customer.serve()
        await asyncio.sleep(0.001)
    assert len(slots.asked) <= 1 / AGAIN_S + 1


@virtual_time
async def test_nobody_waits_means_nothing_is_asked():
    slots = TokenSlots()
    customer = Customer(slots, wanted=5)
    customer.serve()
    await asyncio.sleep(10)
    assert (len(customer.taken), slots.asked, customer.calls) == (5, [5], 2)


@pytest.mark.parametrize("way_s", [0.02, 0.045, 0.1, 0.3])
@virtual_time
async def test_a_slow_database_slows_down_and_does_not_stop(way_s):
    customer = Customer(TokenSlots(way_s=way_s), wanted=5)
    customer.serve()
    await asyncio.sleep(20)
    assert customer.left == 0


@pytest.mark.parametrize("longest_s", [0.01, 0.05, 0.2])
@pytest.mark.parametrize("direction", ["there_s", "back_s"])
@virtual_time
async def test_ways_that_take_now_longer_now_shorter_do_not_exceed_the_rate(direction, longest_s):
    """As where a connection of the pool has to be waited for: any second has the rate, and at most
    a slot more.
    """
    slots = TokenSlots()
    setattr(slots, direction, lambda: random.random() * longest_s)
    customer = Customer(slots, wanted=10**6)
    customer.serve()
    await asyncio.sleep(60)
    times = [at for at, _ in customer.taken]
    assert len(times) > 60 * 100 * 0.5
    assert max(bisect_left(times, at + 1) - n for n, at in enumerate(times)) <= 110


@pytest.mark.parametrize("error", [None, DatabaseUnavailable()])
@virtual_time
async def test_after_a_database_that_was_slow_or_away_for_long_tokens_come_at_once(error):
    slots = TokenSlots(way_s=7.5)  # as long as a statement may take
    slots.error = error
    customer = Customer(slots, wanted=100_000)
    customer.serve()
    await asyncio.sleep(60)
    slots.there_s = slots.back_s = lambda: 0.001
    slots.error = None
    await asyncio.sleep(15)  # the last slow answer
    before = len(customer.taken)
    await asyncio.sleep(3)
    assert len(customer.taken) - before >= 250


@virtual_time
async def test_spend_gives_back_the_token_while_its_slot_lasts():
    bucket = quiet(TokenSlots())
    token = await fetched(bucket)
    assert await bucket.spend(token, patience_s=1) is token
    assert now() < token.ends


@virtual_time
async def test_spend_replaces_a_lapsed_token():
    bucket = quiet(TokenSlots())
    token = await fetched(bucket)
    await asyncio.sleep(SLOT_S)
    other = await bucket.spend(token, patience_s=1)
    assert other is not token
    assert other.begins <= now() < other.ends


@virtual_time
async def test_spend_gives_up_after_its_patience_without_pestering_the_database():
    slots = TokenSlots()
    bucket = quiet(slots)
    token = await fetched(bucket)
    await asyncio.sleep(SLOT_S)
    slots.exhausted = True
    slots.asked.clear()
    started = now()
    assert await bucket.spend(token, patience_s=1) is None
    assert 1 <= now() - started < 1.1
    assert 10 <= len(slots.asked) <= 1 / AGAIN_S + 2


@pytest.mark.parametrize("rate", [15, 100])
@virtual_time
async def test_many_lapsed_tokens_are_replaced_at_the_rate(rate):
    """As after a database that was away: every claim comes back at once, and all their tokens are
    old.
    """
    bucket = quiet(TokenSlots(), rate)
    token = await fetched(bucket)
    await asyncio.sleep(1)
    started = now()
    spent = await asyncio.gather(*(bucket.spend(token, patience_s=1) for _ in range(300)))
    replaced = [t for t in spent if t is not None]
    assert len(replaced) >= 0.8 * rate
    assert max(Counter(slot_of(t.begins) for t in replaced).values()) <= (rate + 9) // 10
    assert now() - started < 1.5  # waiting for one's place counts as patience too


@virtual_time
async def test_calls_are_spaced_inside_a_slot():
    bucket = quiet(TokenSlots())
    assert bucket.take(10) is None
    await asyncio.sleep(0.005)
    tokens = [bucket.take(1) for _ in range(10)]
    left = []

    async def leave(token):
        await bucket.spend(token, patience_s=1)
        left.append(now())

    await asyncio.gather(*map(leave, tokens))
    assert len([at for at in left if at == left[0]]) <= 5
    assert left[-1] - left[0] == pytest.approx(0.025, abs=0.002)


@virtual_time
async def test_an_unused_token_goes_back_and_lapses_all_the_same():
    slots = TokenSlots()
    bucket = quiet(slots)
    token = await fetched(bucket)
    bucket.give_back(token)
    assert bucket.take(1) is token
    bucket.give_back(token)
    await asyncio.sleep(SLOT_S)
    assert bucket.take(1) is None
    await asyncio.sleep(0)
    assert slots.asked == [1, 1]


@virtual_time
async def test_a_token_given_back_is_announced_to_those_who_wait():
    slots = TokenSlots()
    customer = Customer(slots, rate=10, wanted=1)
    customer.serve()
    await asyncio.sleep(0.01)
    ((_, token),) = customer.taken
    customer.left = 1
    customer.serve()  # nothing is left of this slot
    customer.bucket.give_back(token)
    await asyncio.sleep(0.05)
    assert [taken for _, taken in customer.taken] == [token, token]


@virtual_time
async def test_of_two_moments_to_call_the_earlier_one_counts():
    customer = Customer(TokenSlots(), wanted=0)
    for seconds in (1.0, 0.1, 2.0):
        customer.bucket._announce_in(seconds)
    await asyncio.sleep(0.2)
    assert customer.calls == 1


@virtual_time
async def test_close_stops_asking():
    slots = TokenSlots(way_s=0.5)
    customer = Customer(slots)
    customer.serve()
    await asyncio.sleep(0.1)
    customer.bucket.close()
    await asyncio.sleep(5)
    customer.serve()
    await asyncio.sleep(5)
    assert (slots.asked, customer.taken) == ([64], [])


@pytest.mark.parametrize(("rate", "most"), [(100_000, 40), (5_000, 60)])
@virtual_time
async def test_a_lane_that_keeps_up_does_not_ask_for_every_message(rate, most):
    slots = TokenSlots()
    customer = Customer(slots, rate, wanted=0)
    for _ in range(2000):  # one each millisecond, far below the rate
        customer.left += 1
        customer.serve()
        await asyncio.sleep(0.001)
    assert len(customer.taken) > 1900
    assert len(slots.asked) <= most


@virtual_time
async def test_what_is_leased_early_is_little_where_it_would_be_missed():
    slots = TokenSlots()
    rare, busy = Customer(slots, wanted=0), Customer(slots, wanted=10**6)
    busy.serve()
    for _ in range(100):
        rare.left = 1
        rare.serve()
        await asyncio.sleep(0.1)
    assert len(rare.taken) + len(busy.taken) >= 0.9 * 10 * 100
