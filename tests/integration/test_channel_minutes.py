"""Deliveries per minute: sampled from the hourly totals.

No minute is made up, and none counted twice.
"""

from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from notistream.db import channel_minutes
from notistream.db.channel_minutes import SQL
from notistream.db.pool import Database

pytestmark = pytest.mark.integration

AT = datetime(2026, 5, 4, 10, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


class Clock:
    """The sample statement at a moment of the test's choice.

    The product's own runs at the database's.
    """

    def __init__(self, connection: asyncpg.Connection) -> None:
        self.connection = connection

    async def deliver(
        self, at: datetime, *, sent: int = 0, failed: int = 0, latency_ms: float = 0.0
    ) -> None:
        await self.connection.execute(
            "INSERT INTO channel_totals AS t (tenant_id, channel, hour, sent, failed,"
            " latency_ms_sum) VALUES ('0198c5a0-0000-7000-8000-000000000000', 'sms',"
            " date_trunc('hour', $1::timestamptz), $2, $3, $4) ON CONFLICT (tenant_id, channel,"
            " hour) DO UPDATE SET sent = t.sent + excluded.sent, failed = t.failed +"
            " excluded.failed, latency_ms_sum = t.latency_ms_sum + excluded.latency_ms_sum",
            at,
            sent,
            failed,
            latency_ms,
        )

    async def sample(self, at: datetime) -> None:
        await self.connection.execute(
            SQL["sample"]
            .replace("now()", f"'{at.isoformat()}'::timestamptz")
            .replace("$1", "ARRAY['sms']")
        )

    async def series(
        self, *, since: datetime, every: timedelta = MINUTE
    ) -> dict[datetime, tuple[int, int, int]]:
        rows = await self.connection.fetch(SQL["series"], since, every)
        return {
            row["at"]: (row["sent"], row["failed"], row["minutes"])
            for row in rows
            if row["channel"] == "sms"
        }


@pytest.fixture
async def clock(database_url: str):
    connection = await asyncpg.connect(database_url, server_settings={"timezone": "UTC"})
    yield Clock(connection)
    await connection.close()


async def test_each_minute_has_what_was_delivered_in_it(clock: Clock) -> None:
    for minute, sent in enumerate((3, 0, 5)):
        at = AT + minute * MINUTE
        await clock.deliver(at, sent=sent, failed=1)
        for second in (3, 30, 57):
            await clock.sample(at + timedelta(seconds=second))
    assert await clock.series(since=AT) == {
        AT: (3, 1, 1),
        AT + MINUTE: (0, 1, 1),
        AT + 2 * MINUTE: (5, 1, 1),
    }
    assert await clock.series(since=AT, every=timedelta(minutes=15)) == {AT: (8, 3, 3)}


async def test_what_comes_after_the_last_sample_of_an_hour_is_not_lost(clock: Clock) -> None:
    last = AT + 59 * MINUTE
    await clock.sample(last - MINUTE)
    await clock.deliver(last, sent=4)
    await clock.sample(last + timedelta(seconds=50))
    await clock.deliver(last, sent=2)
    await clock.deliver(last + MINUTE, sent=7)
    await clock.sample(last + MINUTE + timedelta(seconds=2))
    assert await clock.series(since=last) == {last: (6, 0, 1), last + MINUTE: (7, 0, 1)}


async def test_minutes_that_nobody_sampled_are_gaps_and_make_no_peak(clock: Clock) -> None:
    await clock.deliver(AT, sent=100)  # before anybody looked
    begins = AT + 20 * MINUTE
    await clock.sample(begins + timedelta(seconds=1))
    await clock.deliver(begins, sent=2)
    await clock.sample(begins + timedelta(seconds=40))
    await clock.deliver(begins, sent=50)  # while nobody looked
    again = begins + 5 * MINUTE
    await clock.sample(again)
    await clock.deliver(again, sent=1)
    await clock.sample(again + timedelta(seconds=10))
    assert await clock.series(since=AT) == {begins: (2, 0, 1), again: (1, 0, 1)}


async def test_several_workers_sample_and_none_takes_back_what_another_noted(clock: Clock) -> None:
    await clock.deliver(AT, sent=5, latency_ms=50)
    await clock.sample(AT + timedelta(seconds=10))
    await clock.connection.execute(
        "UPDATE channel_totals SET sent = 3, latency_ms_sum = 30"
    )  # as an older snapshot
    await clock.sample(AT + timedelta(seconds=11))
    assert await clock.series(since=AT) == {AT: (5, 0, 1)}


async def test_the_product_samples_every_channel_and_forgets(database_url: str) -> None:
    database = Database(database_url, size=2, name="test")
    await channel_minutes.sample(database)
    await channel_minutes.sample(database)
    since = datetime.now(UTC).replace(second=0, microsecond=0) - MINUTE
    found = await channel_minutes.series(database, since=since, every=MINUTE)
    assert {span.channel for span in found} == {"sms", "email", "push", "in_app"}
    assert {(span.sent, span.failed, span.minutes) for span in found} == {(0, 0, 1)}
    await database.fetch("UPDATE channel_minutes SET minute = minute - interval '3 days'")
    await channel_minutes.forget(database)
    assert (await database.fetch("SELECT * FROM channel_minutes")) == []
    await database.close()
