"""The request limit: shares are reserved ahead, never more is let through than was reserved, and it
fails open.
"""

import asyncio
from uuid import UUID, uuid4

import pytest

from notistream.access import request_limit
from notistream.access.request_limit import RequestLimit
from notistream.db.request_windows import Reserved
from notistream.domain.rate_limit import Rate
from notistream.errors import DatabaseUnavailable
from notistream.observability import metrics

KEY = uuid4()


class Bank:
    """PostgreSQL's side: one window per key, which ends when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.number, self.ends_at = 1, 1060.0
        self.used: dict[UUID, int] = {}
        self.asked = 0
        self.fails = False
        self.answers = asyncio.Event()
        self.answers.set()

    def clock(self) -> float:
        return self.now

    async def reserve(self, key_id: UUID, rate: Rate, wanted: int) -> Reserved:
        self.asked += 1
        await self.answers.wait()
        if self.fails:
            raise DatabaseUnavailable
        used = self.used.get(key_id, 0)
        granted = max(min(wanted, (rate.count - used + 1) // 2), 0)
        self.used[key_id] = used + granted
        return Reserved(self.number, granted, rate.count - used - granted, self.ends_at - self.now)

    def next_window(self) -> None:
        self.now, self.number, self.ends_at = self.ends_at, self.number + 1, self.ends_at + 60
        self.used.clear()

    def limit(self, count: int) -> RequestLimit:
        return RequestLimit(Rate(count, 60), self.reserve, clock=self.clock)


async def admitted(limit: RequestLimit, times: int, key: UUID = KEY) -> int:
    standings = [await limit.take(key) for _ in range(times)]
    return sum(standing is None or standing.admitted for standing in standings)


@pytest.mark.parametrize("count", [1, 2, 3, 10, 49, 50, 51, 99, 1000, 12_000])
async def test_all_of_the_limit_and_no_more(count: int) -> None:
    bank = Bank()
    limit = bank.limit(count)
    assert await admitted(limit, count + 500) == count
    bank.next_window()
    assert await admitted(limit, count + 500) == count


async def test_few_statements_for_many_requests_and_none_for_those_refused() -> None:
    bank = Bank()
    limit = bank.limit(12_000)
    assert await admitted(limit, 12_000) == 12_000
    assert bank.asked < 80
    before = bank.asked
    assert await admitted(limit, 5_000) == 0
    assert bank.asked == before


async def test_requests_that_wait_share_one_statement() -> None:
    bank = Bank()
    bank.answers.clear()
    limit = bank.limit(12_000)
    waiting = [asyncio.create_task(limit.take(KEY)) for _ in range(200)]
    await asyncio.sleep(0)
    bank.answers.set()
    standings = await asyncio.gather(*waiting)
    assert all(standing is not None and standing.admitted for standing in standings)
    assert bank.asked <= 2


async def test_what_was_reserved_lapses_with_its_window() -> None:
    bank = Bank()
    limit = bank.limit(12_000)
    await limit.take(KEY)
    reserved = bank.used[KEY]
    assert reserved > 100
    bank.next_window()
    standing = await limit.take(KEY)
    assert standing is not None
    assert (standing.window, bank.used[KEY]) == (2, reserved)


async def test_keys_do_not_share() -> None:
    limit, other = Bank().limit(10), uuid4()
    assert await admitted(limit, 20) == 10
    assert await admitted(limit, 20, other) == 10


async def test_standing_says_what_is_left_and_until_when() -> None:
    bank = Bank()
    limit = bank.limit(3)
    bank.now += 20
    standings = [await limit.take(KEY) for _ in range(4)]
    assert [(s.admitted, s.remaining, s.resets_in_s) for s in standings if s] == [
        (True, 2, 40.0),
        (True, 1, 40.0),
        (True, 0, 40.0),
        (False, 0, 40.0),
    ]


async def test_without_postgresql_requests_pass_uncounted_and_it_is_asked_again_later() -> None:
    bank = Bank()
    limit, before = (
        bank.limit(5),
        metrics.REGISTRY.get_sample_value("notistream_api_rate_limit_unmetered_total") or 0,
    )
    bank.fails = True
    assert await admitted(limit, 20) == 20
    assert bank.asked == 1
    after = metrics.REGISTRY.get_sample_value("notistream_api_rate_limit_unmetered_total") or 0
    assert after - before == 20
    bank.fails = False
    bank.now += request_limit.UNMETERED_S
    assert await admitted(limit, 20) == 5


async def test_a_slow_answer_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_limit, "PATIENCE_S", 0.01)
    bank = Bank()
    bank.answers.clear()
    limit = bank.limit(5)
    assert await limit.take(KEY) is None
    bank.answers.set()
    await asyncio.sleep(0)
    bank.now += request_limit.UNMETERED_S
    assert await admitted(limit, 20) == 5


async def test_no_limit_asks_nobody() -> None:
    bank = Bank()
    assert await bank.limit(0).take(KEY) is None
    assert bank.asked == 0
