"""What `make bench` says of its samples, and how it recognises a delivery."""

import json

import pytest

from benchmarks import messages, wire
from benchmarks.figures import FIGURES, Samples, rows
from benchmarks.load import at_share


def test_ratio_is_the_median_of_the_rounds_own_ratios():
    samples = Samples()
    samples.product["deliveries"] += [100, 300, 90]
    samples.bare["deliveries"] += [100, 600, 100]
    (row,) = rows(samples)
    assert (row.product, row.low, row.high, row.bare, row.ratio) == (100, 90, 300, 100, 0.9)
    assert row.met is True


@pytest.mark.parametrize(("key", "product", "bare", "met"), [
    ("creates_1", 1, 100, None),
    ("creates_64", 5_000, 10_000, True),
    ("creates_64", 4_999, 5_000, False),
    ("creates_64", 6_000, 20_000, False),
    ("latency_p50", 12, 2, True),
    ("latency_p50", 12.1, 2, False),
    ("memory_worker", 251, None, False),
])
def test_a_target_is_met_when_each_of_its_bounds_is(key, product, bare, met):
    samples = Samples()
    samples.product[key].append(product)
    if bare is not None:
        samples.bare[key].append(bare)
    assert rows(samples)[0].met is met


def test_figures_are_named_once():
    assert len({figure.key for figure in FIGURES}) == len(FIGURES)


def test_a_message_is_taken_once_it_is_whole():
    whole = wire.request("/x", b'{"a":1}')
    buffer = bytearray()
    for byte in whole[:-1]:
        buffer.append(byte)
        assert wire.take(buffer) is None
    buffer += whole[-1:] + wire.answer(202, b"{}")
    assert wire.take(buffer) == (whole[: -len(b'\r\n\r\n{"a":1}')], b'{"a":1}')
    head, body = wire.take(buffer) or (b"", b"")
    assert (wire.status(head), body, buffer) == (202, b"{}", b"")


def test_a_chunked_message_is_refused():
    with pytest.raises(ValueError, match="chunked"):
        wire.take(bytearray(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"))


def test_every_notification_of_a_batch_has_its_own_recipient_and_mark():
    bodies = [wire.take(bytearray(request)) for request in messages.batches("b0", 5, 2)]
    items = [item for found in bodies if found for item in json.loads(found[1])["notifications"]]
    assert [len(json.loads(found[1])["notifications"]) for found in bodies if found] == [2, 2, 1]
    assert len({item["recipient"] for item in items}) == 5
    assert [messages.mark(json.dumps(item, separators=(",", ":")).encode()) for item in items] == [
        b"b0-%d" % number for number in range(5)]


def test_at_share():
    assert (at_share([], 0.5), at_share([1], 0.99), at_share(list(range(100)), 0.99)) == (0, 1, 99)
