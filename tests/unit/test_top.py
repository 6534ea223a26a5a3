"""`notistream top`: what several processes say becomes one view, and what is wrong comes first."""

import json

import pytest
from click.testing import CliRunner
from rich.console import Console

from notistream.commands import top
from notistream.commands.scrape import view
from notistream.commands.top import picture

API = 'notistream_accepted_total{channel="sms",priority="high"} 10\n'


def worker(**changed: float) -> str:
    values = {
        'lane_in_flight{channel="sms",priority="high"}': 3,
        'lane_waiting{channel="sms",priority="high"}': 2,
        'consumer_lag_records{channel="sms",priority="high"}': 100,
        'queue_oldest_seconds{channel="sms",priority="high"}': 7,
        'finished_total{channel="sms",status="delivered"}': 50,
        'breaker_state{channel="sms",provider="webhook"}': 0,
        'dead_letters{channel="sms"}': 0,
        "outbox_entries": 1,
        "outbox_oldest_seconds": 0.5,
        "possible_duplicates_total": 0,
        **changed,
    }
    return "".join(f"notistream_{name} {value}\n" for name, value in values.items())


def text(before: dict, now: dict) -> str:
    console = Console(width=120)
    with console.capture() as said:
        console.print(picture(view(before), view(now), seconds=2.0))
    return said.get()


def test_workers_are_added_up_and_kafka_is_counted_once():
    found = view({"a": API, "w0": worker(), "w1": worker()})
    lane = found.lanes["sms.high"]
    assert (lane.in_flight, lane.waiting, lane.lag, lane.oldest_s) == (6, 4, 100, 7)
    assert (found.accepted, found.ended, found.outbox) == (10, {"delivered": 100}, 1)


def test_json_is_one_look(monkeypatch):
    monkeypatch.setattr(top, "scrape", lambda _url: worker())
    said = CliRunner().invoke(top.top, ["--json", "--url", "http://w"])
    assert said.exit_code == 0, said.output
    assert json.loads(said.output)["lanes"]["sms.high"]["lag"] == 100


def test_two_looks_make_rates():
    later = worker(**{'finished_total{channel="sms",status="delivered"}': 250})
    said = text({"a": API, "w": worker()}, {"a": API.replace("10", "30"), "w": later})
    assert "accepted 10/s" in said
    assert "delivered 100/s" in said
    assert "nothing needs attention" in said
    assert "sms.high" in said


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({'breaker_state{channel="sms",provider="webhook"}': 2}, "breaker sms/webhook is open"),
        ({'dead_letters{channel="sms"}': 4}, "4 dead letters of sms"),
        ({"outbox_oldest_seconds": 300}, "the outbox is 300 s behind"),
        ({"scheduler_lateness_seconds": 61}, "the scheduler is 61 s late"),
        ({"audit_missing": 2}, "the audit misses 2"),
        ({"partitions_stalled": 1}, "1 partitions stand still"),
    ],
)
def test_what_is_wrong_is_said_first(changed, words):
    said = text({"w": worker()}, {"w": worker(**changed)})
    assert said.splitlines()[0] == f"! {words}" or said.splitlines()[0].startswith(f"! {words}")


def test_a_process_that_is_gone_is_said():
    assert "! w does not answer" in text({"w": worker()}, {"w": None})
    assert view({"w": None}).lanes == {}
