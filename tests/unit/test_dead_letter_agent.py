"""The dead-letter agent and the stop before a burial: what waits, what ends a wait, and when a
record is settled.
"""

import asyncio
from types import SimpleNamespace

import pytest

from notistream.agents import dead_letter_limit
from notistream.agents.dead_letter import record_store
from notistream.agents.storing import AT_ONCE
from notistream.delivery.dead_letter_limit import DeadLetterLimit
from notistream.delivery.lanes import Lane
from notistream.domain.notification import Priority
from notistream.domain.rate_limit import Rate
from notistream.errors import DatabaseUnavailable
from notistream.observability import metrics

NO_LIMIT = Rate(0, 1)


class App:
    """What the agents use of the app; `keep` is what a test lets the table do."""

    def __init__(self, keep=None, rate=NO_LIMIT):
        self.lane = Lane(
            name="sms.low",
            limit=1,
            ledger=None,
            admitter=SimpleNamespace(on_change=lambda _: None),
            deliver=None,
            clock=asyncio.get_running_loop().time,
        )
        self.lanes = {("sms", Priority.LOW): self.lane}
        self.kept, self.settled, self.released = [], [], []
        self.runtime = SimpleNamespace(
            dead_letters=SimpleNamespace(keep=keep or self.keep),
            dead_letter_limits={"sms": DeadLetterLimit(rate)},
        )

    async def keep(self, letter):
        self.kept.append(letter)
        return True

    async def admits(self, event, lane):
        if not lane.is_open:
            self.release(event)
        return lane.is_open

    def release(self, event):
        self.released.append(event)

    def track(self, event):
        return lambda: self.settled.append(event.message.offset)


def event(offset, value=b"x"):
    return SimpleNamespace(
        message=SimpleNamespace(
            topic="t.sms.dlq",
            partition=0,
            offset=offset,
            timestamp=1.0,
            key=None,
            value=value,
            headers=(),
        )
    )


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    monkeypatch.setattr("notistream.delivery.lanes.DATABASE_RETRY_S", 0.01)


async def until(condition):
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("value", [None, b"", b"\xff", b"{}", b"null", b'{"v":1}', b"[" * 100_000])
async def test_whatever_comes_is_kept_then_settled(value):
    app = App()
    await record_store(app, "sms").receive(event(1, value))
    await until(lambda: app.settled == [1])
    assert [letter.value for letter in app.kept] == [value]


async def test_a_record_is_settled_only_when_it_is_in_the_table_however_long_that_takes():
    tries = []

    async def keep(letter):
        tries.append(letter)
        if len(tries) < 4:
            raise DatabaseUnavailable
        return True

    app = App(keep)
    await record_store(app, "sms").receive(event(1))
    await until(lambda: len(tries) == 3)
    assert app.settled == []
    await until(lambda: app.settled == [1])
    assert len(tries) == 4


async def test_a_release_ends_the_wait_for_the_table_and_settles_nothing():
    async def keep(_letter):
        raise DatabaseUnavailable

    app = App(keep)
    store = record_store(app, "sms")
    for offset in range(AT_ONCE):
        await store.receive(event(offset))
    more = asyncio.ensure_future(store.receive(event(AT_ONCE)))
    await asyncio.sleep(0.05)
    assert not more.done(), "there is no room for one more"
    app.lane.release()
    await asyncio.wait_for(more, 1)
    await store.receive(event(AT_ONCE + 1))
    assert [e.message.offset for e in app.released] == [AT_ONCE + 1]
    await until(lambda: not store._tasks)
    assert app.settled == []
    app.lane.resume()
    app.runtime.dead_letters.keep = app.keep
    await store.receive(event(7))
    await until(lambda: app.settled == [7])


def stopped():
    return metrics.LANE_STOPPED.labels("sms")._value.get()


async def test_a_used_up_limit_holds_the_lane_until_there_is_room():
    app = App(rate=Rate(2, 1))
    assert [await dead_letter_limit.room(app, app.lane, "sms") for _ in range(2)] == [True, True]
    waiting = asyncio.ensure_future(dead_letter_limit.room(app, app.lane, "sms"))
    await asyncio.sleep(0)
    assert stopped() == 1
    assert await asyncio.wait_for(waiting, 5) is True
    assert stopped() == 0


async def test_a_release_ends_the_wait_for_the_limit():
    app = App(rate=Rate(1, 86_400))
    assert await dead_letter_limit.room(app, app.lane, "sms")
    waiting = asyncio.ensure_future(dead_letter_limit.room(app, app.lane, "sms"))
    await asyncio.sleep(0.1)
    assert not waiting.done()
    app.lane.release()
    assert await asyncio.wait_for(waiting, 1) is False
    assert stopped() == 0
