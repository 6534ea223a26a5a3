"""Fetch sessions: what a broker that remembers is sent, and one that has forgotten."""

import asyncio
from types import SimpleNamespace

import pytest
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.fetch import FetchRequest, FetchRequest_v4, FetchRequest_v11

from notistream.kafka.fetch_session import CALM_AFTER, CALM_WAIT_MS, FetchSessions

WAIT_MS = 50
A, B, C = ("sms.high", 0), ("sms.high", 1), ("email.low", 0)
NOT_FOUND, WRONG_EPOCH = 70, 71


class Broker:
    """Keeps one session as KIP-227 says; `fetched` is what it would read for each request."""

    def __init__(self):
        self.fetched, self.sizes, self.waits = [], [], []
        self.session, self.epoch, self.known = 0, 0, {}
        self.keeps, self.error = True, None
        self.news = []

    async def send(self, _node, request, **_options):
        if self.error:
            error, self.error = self.error, None
            raise error
        sent = request.build(FetchRequest_v11)
        named = {(topic, p[0]): p[2] for topic, partitions in sent.topics for p in partitions}
        self.sizes.append(len(named))
        self.waits.append(sent.max_wait_time)
        if sent.session_epoch:
            if sent.session_id != self.session:
                return SimpleNamespace(session_id=0, error_code=NOT_FOUND, topics=[])
            if sent.session_epoch != self.epoch:
                return SimpleNamespace(session_id=0, error_code=WRONG_EPOCH, topics=[])
            forgotten = {
                (topic, p) for topic, partitions in sent.forgotten_topics_data for p in partitions
            }
            named = {tp: at for tp, at in {**self.known, **named}.items() if tp not in forgotten}
        else:
            self.session, self.epoch = self.session + 1, 0
        self.known, self.epoch = named, self.epoch + 1
        self.fetched.append(dict(named))
        return SimpleNamespace(
            session_id=self.session if self.keeps else 0, error_code=0, topics=self.news
        )

    def forget(self):
        self.session += 1


def fetch(**offsets):
    places = {"a": A, "b": B, "c": C}
    topics = {}
    for name, offset in offsets.items():
        topic, partition = places[name]
        topics.setdefault(topic, []).append((partition, offset, 1000))
    return FetchRequest(WAIT_MS, 1, 10_000, 0, list(topics.items()), rack_id="r")


@pytest.fixture
def broker():
    return Broker()


@pytest.fixture
def sessions(broker):
    return FetchSessions(broker.send)


async def test_only_changes_travel_and_the_broker_fetches_exactly_what_is_wanted(broker, sessions):
    for wanted in (
        {"a": 0, "b": 0, "c": 0},
        {"a": 0, "b": 0, "c": 0},
        {"a": 7, "b": 0, "c": 0},
        {"a": 7, "c": 0},
        {"a": 7, "b": 3, "c": 0},
        {"b": 3},
    ):
        await sessions.send(1, fetch(**wanted))
    assert broker.fetched == [
        {A: 0, B: 0, C: 0},
        {A: 0, B: 0, C: 0},
        {A: 7, B: 0, C: 0},
        {A: 7, C: 0},
        {A: 7, B: 3, C: 0},
        {B: 3},
    ]
    assert broker.sizes == [3, 0, 1, 0, 1, 0]


async def test_a_session_that_the_broker_has_lost_begins_again_whole(broker, sessions):
    await sessions.send(1, fetch(a=0, b=0))
    broker.forget()
    lost = await sessions.send(1, fetch(a=1, b=0))
    await sessions.send(1, fetch(a=1, b=0))
    assert (lost.error_code, broker.fetched) == (NOT_FOUND, [{A: 0, B: 0}, {A: 1, B: 0}])
    assert broker.sizes == [2, 1, 2]


@pytest.mark.parametrize("error", [KafkaConnectionError(), asyncio.CancelledError()])
async def test_without_an_answer_everything_is_said_again(broker, sessions, error):
    await sessions.send(1, fetch(a=0, b=0))
    broker.error = error
    with pytest.raises(type(error)):
        await sessions.send(1, fetch(a=1, b=0))
    await sessions.send(1, fetch(a=1, b=0))
    await sessions.send(1, fetch(a=1, b=2))
    assert broker.fetched == [{A: 0, B: 0}, {A: 1, B: 0}, {A: 1, B: 2}]


async def test_a_broker_that_keeps_no_session_gets_everything_each_time(broker, sessions):
    broker.keeps = False
    for _ in range(3):
        await sessions.send(1, fetch(a=0, b=0))
    assert broker.sizes == [2, 2, 2]


async def test_every_broker_has_a_session_of_its_own(broker):
    other = Broker()
    sessions = FetchSessions(
        lambda node, request: (broker if node == 1 else other).send(node, request)
    )
    await sessions.send(1, fetch(a=0, b=0))
    await sessions.send(2, fetch(c=0))
    await sessions.send(1, fetch(a=0, c=1))  # the leader of c has moved
    await sessions.send(2, fetch(b=0))
    assert broker.fetched == [{A: 0, B: 0}, {A: 0, C: 1}]
    assert other.fetched == [{C: 0}, {B: 0}]


async def test_other_requests_pass_and_an_old_broker_gets_the_whole_fetch():
    seen = []

    async def send(_node, request, **options):
        seen.append((request, options))
        return SimpleNamespace(topics=[])

    sessions, request = FetchSessions(send), object()
    await sessions.send(1, request, group=7)
    await sessions.send(1, fetch(a=0, b=4))
    await sessions.send(1, fetch(a=0, b=4))
    assert seen[0] == (request, {"group": 7})
    for sent, _ in seen[1:]:
        assert sent.build(FetchRequest_v4).topics == [("sms.high", [(0, 0, 1000), (1, 4, 1000)])]


async def calm_down(broker, sessions):
    for _ in range(CALM_AFTER):
        await sessions.send(1, fetch(a=0, b=0))
    assert set(broker.waits) == {WAIT_MS}
    await sessions.send(1, fetch(a=0, b=0))
    assert broker.waits.pop() == CALM_WAIT_MS
    broker.waits.clear()


async def test_when_nothing_comes_for_long_the_broker_may_wait_longer_until_something_does(
    broker, sessions
):
    await calm_down(broker, sessions)
    broker.news = [("sms.high", [(0, b"a record")])]
    await sessions.send(1, fetch(a=0, b=0))
    broker.news = []
    for _ in range(CALM_AFTER):  # one of them is in the consumer's buffer
        await sessions.send(1, fetch(b=0))
    assert broker.waits == [CALM_WAIT_MS, *[WAIT_MS] * CALM_AFTER]


@pytest.mark.parametrize("wanted", [{"a": 0}, {"a": 0, "b": 0, "c": 0}, {"a": 1, "b": 0}])
async def test_what_is_wanted_differently_is_not_waited_for_long(broker, sessions, wanted):
    await calm_down(broker, sessions)
    await sessions.send(1, fetch(**wanted))
    assert broker.waits == [WAIT_MS]


async def test_a_broker_without_sessions_is_never_left_alone_for_long(broker, sessions):
    broker.keeps = False
    for _ in range(2 * CALM_AFTER):
        await sessions.send(1, fetch(a=0, b=0))
    assert set(broker.waits) == {WAIT_MS}


async def test_a_lost_session_is_begun_again_without_a_long_wait(broker, sessions):
    await calm_down(broker, sessions)
    broker.forget()
    await sessions.send(1, fetch(a=0, b=0))
    await sessions.send(1, fetch(a=0, b=0))
    assert broker.waits == [CALM_WAIT_MS, WAIT_MS]
