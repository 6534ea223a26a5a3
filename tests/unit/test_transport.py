"""Where a worker reads on after a rebalance, and what its transport leaves to others."""

from aiokafka import TopicPartition

from notistream.kafka.transport import Transport, seek_to_committed


class Consumer:
    """As aiokafka's: it seeks only those partitions of which something was committed."""

    def __init__(self, committed):
        self.committed = committed
        self.positions = dict.fromkeys(
            committed, 22
        )  # fetched up to here while nobody took anything

    async def seek_to_committed(self):
        self.positions |= {tp: offset for tp, offset in self.committed.items() if offset}
        return self.committed

    async def seek_to_beginning(self, *partitions):
        assert partitions, "none would mean all"
        self.positions |= dict.fromkeys(partitions, 0)


async def test_a_partition_of_which_nothing_was_committed_is_read_from_its_beginning():
    lane, fresh, changelog = (
        TopicPartition(topic, 0) for topic in ("t.sms.high", "t.sms.low", "t-usage-changelog")
    )
    never = TopicPartition("t.sms.low", 1)
    consumer = Consumer({lane: 7, fresh: None, never: 0, changelog: None})
    assert await seek_to_committed(consumer, {"t-usage-changelog"}) == consumer.committed
    assert consumer.positions == {
        lane: 7,
        fresh: 0,
        never: 0,
        changelog: 22,
    }  # tables have positions of their own


async def test_where_all_is_committed_nothing_else_is_sought():
    consumer = Consumer({TopicPartition("t.sms.high", 0): 7})
    await seek_to_committed(consumer, set())
    assert list(consumer.positions.values()) == [7]


async def test_a_partition_without_news_is_not_called_broken():
    """In a session its fetches have no answer, and Faust would log an error for each after five
    minutes.
    """
    consumer = Transport.Consumer.__new__(
        Transport.Consumer
    )  # without a thread: asking it would fail
    consumer.assignment = lambda: {TopicPartition("t.sms.high", 0)}
    await consumer.verify_all_partitions_active()
    consumer.verify_recovery_event_path(1e9, TopicPartition("t-usage-changelog", 0))
