"""Group commit: coalesces, keeps order, isolates a bad item."""

import asyncio

import pytest

from notistream.db.group_commit import GroupCommit, by_load
from notistream.errors import DatabaseUnavailable
from tests.core.virtual_time import virtual_time


async def test_what_arrives_while_one_is_in_flight_shares_the_next():
    groups: list[list[int]] = []
    gate = asyncio.Event()

    async def flush(items):
        groups.append(list(items))
        await gate.wait()
        return [i * 10 for i in items]

    commit = GroupCommit(flush)
    tasks = [asyncio.create_task(commit.submit(0))]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    tasks += [asyncio.create_task(commit.submit(i)) for i in range(1, 6)]
    await asyncio.sleep(0)
    gate.set()
    assert await asyncio.gather(*tasks) == [0, 10, 20, 30, 40, 50]
    assert groups == [[0], [1, 2, 3, 4, 5]]


async def test_a_bad_item_does_not_reject_its_neighbours():
    async def flush(items):
        if "bad" in items:
            raise ValueError("bad item")
        return items

    commit = GroupCommit(flush)
    results = await asyncio.gather(
        *(commit.submit(i) for i in ("a", "bad", "b")), return_exceptions=True
    )
    assert results[0] == "a"
    assert results[2] == "b"
    assert isinstance(results[1], ValueError)


async def test_unavailable_reaches_every_caller_and_the_next_group_goes_on():
    calls = 0

    async def flush(items):
        nonlocal calls
        calls += 1
        if calls == 1:
            raise DatabaseUnavailable
        return items

    commit = GroupCommit(flush)
    first = await asyncio.gather(commit.submit(1), commit.submit(2), return_exceptions=True)
    assert any(isinstance(r, DatabaseUnavailable) for r in first)
    assert await commit.submit(3) == 3


async def test_a_caller_that_gives_up_does_not_disturb_the_others():
    gate = asyncio.Event()

    async def flush(items):
        await gate.wait()
        return items

    commit = GroupCommit(flush)
    gone = asyncio.create_task(commit.submit("gone"))
    stays = asyncio.create_task(commit.submit("stays"))
    await asyncio.sleep(0)
    gone.cancel()
    gate.set()
    assert await stays == "stays"
    with pytest.raises(asyncio.CancelledError):
        await gone


class Statement:
    """A flush that takes 10 ms.

    `groups` are the sizes, `at` when each began, on the loop's clock from the first.
    """

    def __init__(self):
        self.groups, self.at = [], []

    async def __call__(self, items):
        self.groups.append(len(items))
        self.at.append(asyncio.get_running_loop().time())
        await asyncio.sleep(0.01)
        return items


async def arriving(commit, *, every_s, count):
    """Submit items at a steady rate and wait for all."""
    tasks = []
    for number in range(count):
        tasks.append(asyncio.create_task(commit.submit(number)))
        await asyncio.sleep(every_s)
    assert await asyncio.gather(*tasks) == list(range(count))


@virtual_time
async def test_what_comes_slower_than_it_could_go_alone_never_waits():
    statement = Statement()
    await arriving(GroupCommit(statement, pause=by_load), every_s=0.011, count=50)
    assert statement.groups == [1] * 50


@virtual_time
async def test_under_load_groups_and_pauses_grow_until_few_statements_are_left():
    alone, statement = Statement(), Statement()
    await arriving(GroupCommit(alone), every_s=0.001, count=1000)
    await arriving(GroupCommit(statement, pause=by_load), every_s=0.001, count=1000)
    assert len(alone.groups) > 90
    assert len(statement.groups) < 20
    assert statement.groups[-2] > 60


@virtual_time
async def test_enough_items_end_the_pause():
    statement = Statement()
    await arriving(GroupCommit(statement, pause=by_load, enough=20), every_s=0.001, count=1000)
    assert max(statement.groups) <= 31  # and those that come while they are flushed
