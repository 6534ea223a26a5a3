"""The watchdog's eye: which partitions stand still without a reason, and since when."""

from datetime import UTC, datetime, timedelta

from notistream.kafka.positions import Unacknowledged
from notistream.operating.gauges import StallDetector, _since

PLACE, OTHER = ("sms.high", 0), ("sms.high", 1)
NOW = datetime(2026, 11, 25, tzinfo=UTC)


def look(
    progress: StallDetector, now: float, begin: int, end: int, waits: tuple[str, ...] = ()
) -> dict:
    return dict(progress.stalled({PLACE: Unacknowledged(begin, end)}, waits=waits, now=now))


def test_no_progress_for_long_enough_is_a_stall_and_progress_ends_it():
    progress = StallDetector(60.0)
    assert look(progress, 0, 5, 9) == {}
    assert look(progress, 59, 5, 12) == {}
    assert look(progress, 60, 5, 12) == {PLACE: 60}
    assert look(progress, 125, 5, 12) == {PLACE: 125}
    assert look(progress, 130, 6, 12) == {}
    assert look(progress, 189, 6, 12) == {}
    assert look(progress, 190, 6, 12) == {PLACE: 60}


def test_nothing_to_do_is_progress():
    progress = StallDetector(60.0)
    assert look(progress, 0, 9, 9) == {}
    assert look(progress, 100, 9, 9) == {}
    assert look(progress, 101, 9, 10) == {}, "its time begins when it has something to do"
    assert look(progress, 160, 9, 10) == {PLACE: 60}


def test_a_declared_wait_is_progress():
    progress = StallDetector(60.0)
    look(progress, 0, 5, 9)
    assert look(progress, 100, 5, 9, waits=("sms.high",)) == {}
    assert look(progress, 159, 5, 9) == {}
    assert look(progress, 160, 5, 9, waits=("email.high",)) == {PLACE: 60}


def test_a_partition_that_was_away_begins_again():
    progress = StallDetector(60.0)
    look(progress, 0, 5, 9)
    progress.stalled({OTHER: Unacknowledged(1, 2)}, waits=(), now=30)
    assert look(progress, 70, 5, 9) == {}


def test_the_oldest_of_a_lane_is_of_a_partition_that_still_has_records():
    early, late = NOW - timedelta(minutes=5), NOW - timedelta(minutes=1)
    spans = {PLACE: Unacknowledged(9, 9), OTHER: Unacknowledged(1, 2)}
    assert _since({PLACE: early, OTHER: late}, spans) == {"sms.high": late}
    assert _since({PLACE: early, OTHER: None}, {PLACE: Unacknowledged(0, 9)}) == {"sms.high": early}
