"""Windows: how many records a lane may have outstanding, what is held back, and how the window
learns.
"""

import asyncio
from math import floor

import pytest

from notistream.errors import KafkaUnavailable
from notistream.kafka.outbox import OutboxEntry, Record
from notistream.kafka.positions import LanePosition
from notistream.kafka.topic_names import LANES, lane_topic
from notistream.publishing.windows import FEW, FIRST_WINDOW, LARGEST_WINDOW, LaneWindow, Windows

HIGH, LOW = "sms.high", "sms.low"


def entry(topic=HIGH, tenant="t1", records=100, number=1):
    return OutboxEntry(
        number, topic, tuple(Record(f"{tenant}:r{n}".encode(), b"{}", ()) for n in range(records))
    )


class Outbox:
    """Answers `held_lanes` and `release` as the database does."""

    def __init__(self, held=(), released=()):
        self.held = held
        self.released = released
        self.rooms = None

    async def fetch(self, _statement, *arguments):
        if not arguments:
            return [{"topic": topic, "tenant": tenant} for topic, tenant in self.held]
        self.rooms = dict(zip(*arguments, strict=True))
        return [
            {
                "id": e.id,
                "topic": e.topic,
                "turn": n,
                "messages": [[r.key.decode(), {}, {}] for r in e.records],
            }
            for n, e in enumerate(self.released)
        ]


class Kafka:
    """Answers positions; every lane that is not named is at rest."""

    def __init__(self, **named):
        self.lags = {topic.replace("_", "."): lag for topic, lag in named.items()}
        self.error = None

    async def lanes(self):
        if self.error:
            raise self.error
        return {
            lane_topic(*lane): LanePosition(0, self.lags.get(lane_topic(*lane), 0))
            for lane in LANES
        }


def windows(outbox=None, kafka=None, *, rate=0.0):
    return Windows(kafka or Kafka(), outbox or Outbox(), channel_rate=rate, clock=lambda: 100.0)


@pytest.mark.parametrize(
    ("window", "sampled", "committed", "end", "now", "pressed", "expected", "credit"),
    [
        (1000, None, 5000, 5000, 10.0, False, 1000, 1000),  # a first look teaches nothing
        (1000, None, 5000, 5400, 10.0, False, 1000, 600),
        (1000, None, 5000, 7000, 10.0, False, 1000, -1000),
        (1000, (9.5, 0), 5000, 5000, 10.0, False, 1000, 1000),  # too early for a sample
        (1000, (9.0, 0), 5000, 5000, 10.0, False, 5000, 5000),  # it follows the rate
        (1000, (8.0, 0), 5000, 5000, 10.0, False, 2500, 2500),
        (1000, (9.0, 0), 5000, 9000, 10.0, True, 5000, 1000),
        (1000, (9.0, 0), 10**6, 10**6, 10.0, False, LARGEST_WINDOW, LARGEST_WINDOW),
        (8000, (9.0, 5000), 5010, 5010, 10.0, False, 1000, 1000),  # never below the least
        (
            1000,
            (9.5, 0),
            0,
            0,
            10.0,
            True,
            2000,
            2000,
        ),  # pressed and idle: it is faster than we know
        (1000, (9.5, 0), 0, 249, 10.0, True, 2000, 1751),
        (1000, (9.5, 0), 0, 250, 10.0, True, 1000, 750),  # it has enough to do
        (LARGEST_WINDOW, (9.5, 0), 0, 0, 10.0, True, LARGEST_WINDOW, LARGEST_WINDOW),
        (1000, (9.0, 9000), 10, 10, 10.0, False, 1000, 1000),  # the topic was made anew
    ],
)
def test_a_window_learns(window, sampled, committed, end, now, pressed, expected, credit):
    lane = LaneWindow(FIRST_WINDOW, window, window, sampled=sampled)
    lane.learn(LanePosition(committed, end), now, pressed=pressed)
    assert (lane.window, lane.credit) == (expected, credit)


def test_what_is_on_its_way_to_kafka_takes_room_and_does_not_make_the_lane_look_idle():
    lane = LaneWindow(1000, 1000, 1000)
    lane.take(800)
    for tick in range(10):  # of a tenth of a second, in which Kafka knows of nothing
        lane.learn(LanePosition(0, 0), tick / 10, pressed=True)
        assert (lane.window, lane.credit) == (1000, 200)
    lane.under_way = 0
    lane.learn(
        LanePosition(0, 0), 1.0, pressed=True, under_way=800
    )  # published while the position was on its way
    assert lane.credit == -700  # of the smallest window: nothing was acknowledged in a second


async def test_a_backlog_is_released_by_what_the_lane_takes_and_not_by_what_kafka_has_not_seen():
    held = [entry(HIGH, "flood", 100, number) for number in range(200)]
    outbox = Outbox(held=[(HIGH, "flood")])
    seen = windows(outbox)
    for _ in range(20):  # looks, in none of which anything has reached Kafka
        outbox.released = held[: max(seen._lanes[HIGH].credit, 0) // 100]
        held = held[len(await seen.release()) :]
    assert (
        seen._lanes[HIGH].under_way == 2000
    )  # the first look alone thought that the lane was idle
    for number in range(20):
        seen.published(entry(HIGH, "flood", 100, number))
    assert seen._lanes[HIGH].under_way == 0


def test_a_window_grows_at_once_and_shrinks_by_halves():
    lane = LaneWindow(100, 100, 100)
    seen, committed = [], 0
    for second, rate in enumerate([0, 4000, 4000, 0, 0, 0, 0, 0, 0, 0, 8000]):
        committed += rate
        lane.learn(LanePosition(committed, committed), float(second), pressed=False)
        seen.append(lane.window)
    assert seen == [100, 4000, 4000, 2000, 1000, 500, 250, 125, 100, 100, 8000]


@pytest.mark.parametrize("rate", [1, 30, 100, 1000, 5000])
@pytest.mark.parametrize("least", [2, 200, 1000])
def test_a_flood_neither_fills_the_lane_nor_starves_it(rate, least):
    """A lane of this rate, with a backlog held for it; positions are a quarter of a second old."""
    lane, end, done = LaneWindow(least, least, least), 0, 0.0
    lags, at_half = [], 0.0
    committed = [0] * 4
    for tick in range(600):  # of a tenth of a second
        done = min(done + rate / 10, end)
        committed = [*committed[1:], floor(done)]
        lane.learn(LanePosition(committed[0], end), tick / 10, pressed=True)
        if lane.credit > 0:
            end += lane.credit
        if tick == 300:
            at_half = done
        if tick > 100:
            lags.append(end - done)
    assert max(lags) <= max(2 * least, 3 * rate) + 10
    assert done - at_half >= 0.9 * 30 * rate - 1


@pytest.mark.parametrize(
    ("rate", "least"),
    [(0, FIRST_WINDOW), (100, 200), (400, 800), (500, 1000), (10**6, FIRST_WINDOW), (10, 20)],
)
def test_the_least_window_is_two_seconds_of_the_channels_rate(rate, least):
    assert set(windows(rate=rate).rooms().values()) == {least}


@pytest.mark.parametrize("rate", [0.01, 0.1, 0.4, 0.6, 1])
def test_the_slowest_channel_still_takes_something(rate):
    assert windows(rate=rate).admit(entry(records=1))


def test_entries_are_admitted_while_there_is_credit():
    seen = windows(rate=100)  # 200 records
    assert [seen.admit(entry(records=150)) for _ in range(3)] == [True, True, False]
    assert seen.admit(entry(LOW, records=100))  # another lane
    assert [seen.admit(entry(topic)) for topic in ("sms.retry", "sms.dlq", "events")] == [
        True
    ] * 3  # no lanes


def test_what_is_behind_held_entries_of_its_tenant_is_held_too():
    seen = windows()
    seen.hold([entry(HIGH, "flood")])
    assert not seen.admit(entry(HIGH, "flood", records=1))
    assert seen.admit(entry(LOW, "flood", records=1))
    assert seen.admit(entry(HIGH, "other", records=1))


def test_there_is_little_room_for_the_scheduler_behind_held_ones_and_none_beyond_the_window():
    seen = windows(rate=100)
    seen.hold([entry(HIGH)])
    seen.admit(entry(LOW, records=150))
    seen.admit(entry("email.low", records=350))
    rooms = seen.rooms()
    shown = (
        rooms["sms", "high"],
        rooms["sms", "low"],
        rooms["email", "low"],
        rooms["push", "high"],
    )
    assert shown == (FEW, 50, 0, 200)


async def test_refreshing_gives_credit_back_and_forgets_what_is_no_longer_held():
    outbox = Outbox(held=[(HIGH, "flood")])
    seen = windows(outbox, Kafka(sms_low=900), rate=100)
    assert not seen.stale
    seen.hold([entry(HIGH, "gone")])
    seen.confirm(entry(HIGH, "gone"))
    assert seen.stale
    await seen.refresh()
    assert seen.admit(entry(HIGH, "gone", records=1))
    assert not seen.admit(entry(HIGH, "flood", records=1))
    assert (seen.rooms()["sms", "low"], seen.stale) == (0, True)
    outbox.held = ()
    seen._positions = Kafka()
    await seen.refresh()
    assert seen.rooms()["sms", "low"] == 200


async def test_a_look_that_is_older_than_the_note_lets_nothing_past_a_held_entry():
    """The outbox is told of `first` during one look and of `second` before the next.

    Neither look has seen it.
    """
    first, second, other = (
        entry(HIGH, "first"),
        entry(HIGH, "second"),
        entry(HIGH, "other", records=1),
    )
    outbox = Outbox()
    seen = windows(outbox)

    class Slow:
        async def fetch(self, statement):
            answer = await outbox.fetch(statement)
            seen.hold([first])
            seen.confirm(first)
            seen.hold([second])
            return answer

    seen._database = Slow()
    await seen.refresh()
    assert [seen.admit(e) for e in (first, second, other)] == [False, False, True]
    seen._database = outbox
    await seen.refresh()
    assert [seen.admit(e) for e in (first, second)] == [True, False]
    seen.confirm(second)
    await seen.refresh()
    assert seen.admit(second)


@pytest.mark.parametrize("second", ["refresh", "release"])
async def test_a_second_look_does_not_make_the_first_one_forget(second):
    """The first look's answer, from before the note, comes last."""
    flood, answers, outbox = entry(HIGH, "flood"), asyncio.Queue(), Outbox()
    seen = windows(outbox)

    class Slow:
        async def fetch(self, statement, *arguments):
            answer = await outbox.fetch(statement, *arguments)
            await answers.get()
            return answer

    seen._database = Slow()
    first = asyncio.create_task(seen.refresh())
    await asyncio.sleep(0)
    seen.hold([flood])
    seen.confirm(flood)
    outbox.held = [(HIGH, "flood")]
    other = asyncio.create_task(getattr(seen, second)())
    await asyncio.sleep(0)
    answers.put_nowait(None)
    await first
    assert not seen.admit(entry(HIGH, "flood", records=1))
    for _ in range(2):  # `release` asks twice
        answers.put_nowait(None)
    await other
    assert not seen.admit(entry(HIGH, "flood", records=1))


async def test_without_kafkas_answer_the_windows_stay_as_they_are():
    kafka = Kafka()
    seen = windows(Outbox(held=[(HIGH, "flood")]), kafka, rate=100)
    seen.admit(entry(LOW, records=199))
    kafka.error = KafkaUnavailable("away")
    await seen.refresh()
    assert (seen.rooms()["sms", "low"], seen.rooms()["sms", "high"]) == (1, FEW)


async def test_released_entries_take_their_room():
    released = [entry(HIGH, "a", 100, 7), entry(HIGH, "b", 60, 8)]
    outbox = Outbox(held=[(HIGH, "a"), (HIGH, "b"), (LOW, "a")], released=released)
    seen = windows(outbox, Kafka(sms_high=50, sms_low=5000), rate=100)
    assert [e.id for e in await seen.release()] == [7, 8]
    assert outbox.rooms == {HIGH: 150}  # the low lane is full
    assert seen._lanes[HIGH].credit == -10


async def test_nothing_held_and_nothing_used_asks_kafka_nothing():
    kafka = Kafka()
    kafka.error = AssertionError("asked")
    assert await windows(kafka=kafka).release() == []
