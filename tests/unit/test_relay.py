"""The relay: in order, held back without room, alive whatever Kafka's client raises."""

import asyncio
from collections import Counter

import pytest
from aiokafka.errors import KafkaTimeoutError, MessageSizeTooLargeError

from notistream.errors import DatabaseUnavailable
from notistream.kafka.connection import Kafka
from notistream.kafka.dead_letter import OVERSIZE
from notistream.kafka.outbox import OutboxEntry, Record
from notistream.publishing.relay import AFTER_FAILURE_S, MAX_OUTSTANDING, Relay
from tests.core.virtual_time import virtual_time


class Producer:
    """Takes everything.

    `refuses` says what it raises for a record, at once or when the broker answers.
    """

    def __init__(self):
        self.taken = []
        self.refuses = lambda topic, value: None
        self.answers = lambda topic, value: None

    async def send(self, topic, value, *, key=None, headers=()):
        if error := self.refuses(topic, value):
            raise error
        self.taken.append((topic, value, dict(headers)))
        answer = asyncio.get_running_loop().create_future()
        error = self.answers(topic, value)
        answer.set_exception(error) if error else answer.set_result(None)
        return answer

    async def stop(self):
        pass


class Windows:
    """Admits all topics but those that are `full`."""

    def __init__(self):
        self.full = set()
        self.holding = []
        self.stale = True
        self.error = None
        self.refreshed = 0
        self.under_way = Counter()

    def admit(self, entry):
        admitted = entry.topic not in self.full
        self.under_way[entry.id] += admitted
        return admitted

    def published(self, entry):
        self.under_way[entry.id] -= 1

    def hold(self, entries):
        self.holding += [(entry.id, False) for entry in entries]

    def confirm(self, entry):
        self.holding[self.holding.index((entry.id, False))] = entry.id, True

    async def refresh(self):
        self.refreshed += 1
        if self.error:
            raise self.error


class Outbox:
    """Notes which ids each statement got."""

    def __init__(self):
        self.ids = Counter()
        self.error = None

    async def fetch(self, statement, ids):
        if self.error:
            raise self.error
        self.ids.update(("held" if "held" in statement else "deleted", i) for i in ids)
        return []


class Bench:
    """A relay that is connected."""

    def __init__(self, monkeypatch):
        self.producer, self.windows, self.outbox = Producer(), Windows(), Outbox()
        self.relay = Relay(
            kafka=Kafka("kafka:9092"), prefix="p", database=self.outbox, windows=self.windows
        )

        async def connected(_relay):
            return self.producer

        monkeypatch.setattr(Relay, "_connected", connected)

    async def start(self):
        self.relay.start()
        await asyncio.sleep(0.01)
        return self

    async def publish(self, *entries):
        self.relay.publish(entries)
        await asyncio.sleep(1)

    def deleted(self):
        return sorted(i for kind, i in self.outbox.ids if kind == "deleted")


@pytest.fixture
def bench(monkeypatch):
    return Bench(monkeypatch)


def entry(number, topic="sms.high", values=(b"{}",)):
    return OutboxEntry(number, topic, tuple(Record(b"t:r", value, ()) for value in values))


@virtual_time
async def test_publishes_in_order_and_forgets_what_the_broker_has(bench):
    await bench.start()
    await bench.publish(*(entry(n, values=(b"%d" % n,)) for n in range(20)))
    assert [value for _, value, _ in bench.producer.taken] == [b"%d" % n for n in range(20)]
    assert {topic for topic, _, _ in bench.producer.taken} == {"p.sms.high"}
    assert (bench.deleted(), bench.relay._outstanding) == (list(range(20)), 0)
    assert set(bench.windows.under_way.values()) == {0}
    await bench.relay.close()


@virtual_time
async def test_before_it_is_connected_everything_stays_in_the_outbox(bench):
    await bench.publish(entry(1))
    assert (bench.producer.taken, bench.relay.takes_leftovers, bench.relay._outstanding) == (
        [],
        False,
        0,
    )
    await bench.start()
    assert bench.relay.takes_leftovers
    await bench.relay.close()


@virtual_time
async def test_what_has_no_room_is_held_and_released_entries_go_without_asking(bench):
    await bench.start()
    bench.windows.full = {"sms.low"}
    await bench.publish(entry(1, "sms.low"), entry(2))
    assert bench.windows.holding == [(1, True)]
    assert bench.outbox.ids == {("held", 1): 1, ("deleted", 2): 1}
    bench.relay.publish_released([entry(1, "sms.low")])
    await asyncio.sleep(1)
    assert bench.deleted() == [1, 2]
    await bench.relay.close()


@virtual_time
async def test_what_the_outbox_cannot_be_told_of_is_noted_no_longer(bench):
    await bench.start()
    bench.windows.full, bench.outbox.error = {"sms.low"}, DatabaseUnavailable("away")
    await bench.publish(entry(1, "sms.low"))
    assert bench.windows.holding == [(1, True)]
    await bench.relay.close()


@pytest.mark.parametrize("when", ["refuses", "answers"])
@virtual_time
async def test_what_kafka_does_not_take_stays_for_later_and_nothing_is_leaked(bench, when):
    await bench.start()
    setattr(
        bench.producer, when, lambda topic, value: KafkaTimeoutError() if value == b"bad" else None
    )
    await bench.publish(entry(1, values=(b"ok", b"bad")), entry(2))
    assert (bench.deleted(), bench.relay._outstanding) == ([2], 0)
    assert not bench.relay.takes_leftovers
    assert bench.windows.under_way == {1: 0, 2: 0}
    bench.relay._failed_at -= AFTER_FAILURE_S
    assert bench.relay.takes_leftovers
    await bench.relay.close()


@pytest.mark.parametrize("when", ["refuses", "answers"])
@virtual_time
async def test_an_error_that_nobody_expects_costs_one_entry_and_not_the_relay(bench, when):
    await bench.start()
    setattr(
        bench.producer,
        when,
        lambda topic, value: AssertionError("oops") if value == b"bad" else None,
    )
    await bench.publish(entry(1, values=(b"bad",)))
    await bench.publish(entry(2))
    assert (bench.deleted(), bench.relay._outstanding) == ([2], 0)
    await bench.relay.close()


@virtual_time
async def test_a_record_that_is_too_large_goes_without_its_bytes(bench):
    await bench.start()
    bench.producer.refuses = lambda topic, value: MessageSizeTooLargeError() if value else None
    await bench.publish(entry(1, "sms.dlq"))
    ((_, value, headers),) = bench.producer.taken
    assert (value, OVERSIZE in headers, bench.deleted()) == (b"", True, [1])
    await bench.relay.close()


@virtual_time
async def test_more_than_it_can_carry_stays_in_the_outbox(bench):
    await bench.start()
    large = tuple(b"%d" % n for n in range(MAX_OUTSTANDING))
    bench.relay.publish([entry(1, values=large), entry(2)])
    await asyncio.sleep(1)
    assert (bench.deleted(), bench.relay._outstanding) == ([1], 0)
    assert bench.windows.under_way == {1: 0, 2: 0}
    await bench.relay.close()


@virtual_time
async def test_the_watch_on_the_windows_goes_on_after_an_error(bench):
    await bench.start()
    bench.windows.error = KeyError("sms.high")
    await asyncio.sleep(5)
    assert bench.windows.refreshed > 10
    await bench.relay.close()


@virtual_time
async def test_close_publishes_what_is_queued_and_takes_nothing_more(bench):
    await bench.start()
    bench.relay.publish([entry(n) for n in range(50)])
    await bench.relay.close()
    assert bench.deleted() == list(range(50))
    await bench.publish(entry(99))
    assert 99 not in bench.deleted()
