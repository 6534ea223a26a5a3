"""Use of keys: written behind the requests, soon the first time, then once a minute."""

from collections.abc import Mapping
from uuid import UUID, uuid4

import pytest

from notistream.access.key_usage import KeyUsage
from notistream.errors import DatabaseUnavailable


class Rows:
    """What was written, at a time that the test sets."""

    def __init__(self) -> None:
        self.now = 100.0
        self.written: list[dict[UUID, float]] = []
        self.fails = False
        self.use = KeyUsage(self.write, clock=lambda: self.now)

    async def write(self, ago: Mapping[UUID, float]) -> None:
        if self.fails:
            raise DatabaseUnavailable
        self.written.append(dict(ago))


async def test_a_key_is_written_once_a_minute_with_its_last_use() -> None:
    rows, key = Rows(), uuid4()
    rows.use.note(key)
    rows.now += 2
    await rows.use.flush()
    for _ in range(11):
        rows.use.note(key)
        rows.now += 5
        await rows.use.flush()
    assert rows.written == [{key: 2.0}]
    rows.now += 5
    await rows.use.flush()
    assert rows.written == [{key: 2.0}, {key: 10.0}]
    rows.now += 100
    await rows.use.flush()
    assert len(rows.written) == 2
    await rows.use.close()


async def test_what_could_not_be_written_is_written_the_next_time_and_at_the_end() -> None:
    rows, key = Rows(), uuid4()
    rows.use.note(key)
    rows.fails = True
    with pytest.raises(DatabaseUnavailable):
        await rows.use.flush()
    await rows.use.close()
    rows.fails = False
    await rows.use.close()
    assert rows.written == [{key: 0.0}]


async def test_closing_writes_what_came_since_the_last_write() -> None:
    rows, key, other = Rows(), uuid4(), uuid4()
    rows.use.note(key)
    await rows.use.flush()
    rows.now += 1
    rows.use.note(key)
    rows.use.note(other)
    await rows.use.close()
    assert rows.written == [{key: 0.0}, {key: 0.0, other: 0.0}]
