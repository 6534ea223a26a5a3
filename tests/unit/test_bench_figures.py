"""What `make bench` says of its samples, and how it recognises a delivery."""

import json
from xml.etree import ElementTree as ET

import pytest

from benchmarks import messages, wire
from benchmarks.bench import p50_p99, rate
from benchmarks.figures import FIGURES, Figure, Samples, rows
from benchmarks.load import at_share
from benchmarks.messages import Shape
from benchmarks.picture import draw, reached
from benchmarks.product import errors_in
from benchmarks.receiver import Book
from benchmarks.scenarios import during


def test_ratio_is_the_median_of_the_rounds_own_ratios():
    samples = Samples()
    samples.product["deliveries"] += [100, 300, 90]
    samples.reference["deliveries"] += [100, 600, 100]
    (row,) = rows(samples)
    assert (row.product, row.low, row.high, row.reference, row.ratio) == (100, 90, 300, 100, 0.9)
    assert row.met is True


@pytest.mark.parametrize(
    ("key", "product", "bare", "met"),
    [
        ("creates_1", 1, 100, None),
        ("creates_64", 5_000, 10_000, True),
        ("creates_64", 4_999, 5_000, False),
        ("creates_64", 6_000, 20_000, False),
        ("latency_p50", 12, 2, True),
        ("latency_p50", 12.1, 2, False),
        ("memory_worker", 251, None, False),
        ("isolation", 899, 1_000, False),
        ("isolation", 900, 1_000, True),
        ("high_p99", 2_000, None, True),
        ("fair_slowest", 2_001, None, False),
    ],
)
def test_a_target_is_met_when_each_of_its_bounds_is(key, product, bare, met):
    samples = Samples()
    samples.product[key].append(product)
    if bare is not None:
        samples.reference[key].append(bare)
    assert rows(samples)[0].met is met


def test_figures_are_named_once():
    assert len({figure.key for figure in FIGURES}) == len(FIGURES)
    assert len({figure.title for figure in FIGURES}) == len(FIGURES)


def test_a_target_says_what_it_is_measured_beside():
    figure = Figure(key="k", title="t", unit="/s", least=5_000, share=0.9, beside="alone")
    assert figure.target == "≥ 5,000 and ≥ 0.9 × alone"


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
        b"b0-%d" % number for number in range(5)
    ]


def test_a_shape_is_in_every_notification_and_its_key_in_the_head():
    shape = Shape(
        channel="email", priority="high", scheduled_at="2026-11-22T10:00:00+00:00", api_key="nk_1"
    )
    (batch,) = messages.batches("b0", 2, 2, shape)
    for request, several in ((messages.create("b0", 1, shape), False), (batch, True)):
        head, body = wire.take(bytearray(request)) or (b"", b"")
        item = json.loads(body)["notifications"][1] if several else json.loads(body)
        assert b"\r\nX-API-Key: nk_1\r\n" in head + b"\r\n"
        assert (item.pop("content")[:5], item) == (
            "b0-1 ",
            {
                "channel": "email",
                "recipient": "r0000001@example.com",
                "priority": "high",
                "scheduled_at": "2026-11-22T10:00:00+00:00",
            },
        )


def delivered(name: str, channel: str = "sms") -> bytes:
    return b'{"to":"x","channel":"%b","content":"%b text"}' % (channel.encode(), name.encode())


def test_the_receiver_counts_each_tag_apart_and_keeps_first_arrivals():
    book = Book()
    for name in ("a-1", "b-1", "a-2", "a-1"):
        book.note(delivered(name))
    found, first = book.control("/stats/a"), book.control("/arrivals/a")
    assert (found["total"], found["unique"]) == (3, 2)
    assert list(first) == ["a-1", "a-2"]
    assert found["first_ns"] == first["a-1"] <= first["a-2"] <= found["last_ns"]
    assert (book.control("/stats/")["total"], book.control("/stats/c")["total"]) == (4, 0)
    book.control("/reset/")
    assert book.control("/stats/") == {"total": 0, "unique": 0, "first_ns": 0, "last_ns": 0}


def test_the_receiver_is_as_late_as_it_was_told_for_a_channel():
    book = Book()
    assert book.note(delivered("a-1")) == 0
    book.control("/delay/sms/200")
    assert (book.note(delivered("a-2")), book.note(delivered("a-3", "email"))) == (0.2, 0)
    book.control("/delay/sms/0")
    assert book.note(delivered("a-4")) == 0


def test_only_live_ones_that_were_sent_while_others_came_due_count():
    assert during({"a": 9, "b": 10, "c": 20, "d": 21}, 10, 20) == [("b", 10), ("c", 20)]


def test_latencies_and_rates():
    sent = [(f"t-{number}", number) for number in range(100)]
    arrivals = {name: at + (number + 1) * 1_000_000 for number, (name, at) in enumerate(sent)}
    assert p50_p99(sent, arrivals) == (51, 100)
    assert rate({"unique": 101, "first_ns": 0, "last_ns": 2_000_000_000}) == 50
    assert rate({"unique": 0, "first_ns": 0, "last_ns": 0}) == 0


def test_what_the_product_logs_as_errors_is_found():
    lines = [
        f'{{"time":"t","level":"{level}","event":"x"}}'
        for level in ("info", "error", "warning", "error")
    ]
    assert errors_in("\n".join(lines)) == [lines[1], lines[3]]


def test_at_share():
    assert (at_share([], 0.5), at_share([1], 0.99), at_share(list(range(100)), 0.99)) == (0, 1, 99)


def test_the_picture_shows_how_much_of_each_target_was_reached():
    samples = Samples()
    samples.product |= {"creates_64": [6_000], "latency_p50": [24], "creates_1": [100]}
    samples.reference["creates_64"] = [24_000]
    shares = {row.figure.key: reached(row) for row in rows(samples)}
    assert shares == {
        "creates_1": None,
        "creates_64": 0.5,
        "latency_p50": 0.5,
    }  # the smaller one of two bounds counts
    picture = ET.fromstring(draw(rows(samples)))
    bars = picture.findall("{http://www.w3.org/2000/svg}rect")
    assert [bar.get("class") for bar in bars] == ["missed", "missed"]


def test_requests_of_a_load_are_traced_as_often_as_is_said():
    sent = [Shape(traced_every="10").headers(number)["traceparent"] for number in range(100)]
    assert len({text.split("-")[1] for text in sent}) == 100
    assert [text[-2:] for text in sent].count("01") == 10
