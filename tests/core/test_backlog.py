"""What the audit concludes from positions on Kafka alone."""

from datetime import UTC, datetime, timedelta

import pytest
from aiokafka.partitioner import DefaultPartitioner

from notistream.recording.backlog import MARGIN, horizons, partition_of, partitions

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize("count", [1, 2, 8, 1000])
def test_a_key_is_looked_for_where_the_producer_puts_it(count):
    everywhere = list(range(count))
    for key in (f"tenant:{i}".encode() for i in range(200)):
        assert partition_of(key, count) == DefaultPartitioner()(key, everywhere, everywhere)


def test_partitions_are_counted_per_topic():
    assert partitions([("sms.high", 0), ("sms.high", 1), ("email.low", 0)]) == {
        "sms.high": 2,
        "email.low": 1,
    }


@pytest.mark.parametrize(
    ("oldest", "expected"),
    [
        ([NOON], NOON - MARGIN),
        (
            [NOON, NOON + timedelta(hours=1)],
            NOON + timedelta(hours=1) - MARGIN,
        ),  # suspect in one partition is enough
        ([NOON, None], None),  # nothing waits in the other one: whatever belongs there is suspect
        ([None, None], None),
    ],
)
def test_the_horizon_of_a_lane(oldest, expected):
    found = horizons({("sms.high", partition): at for partition, at in enumerate(oldest)})
    assert found.get("sms.high") == expected
