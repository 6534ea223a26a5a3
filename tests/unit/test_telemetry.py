"""Logs: what a line carries, which repeats are left out, and how an address is masked."""

import logging

import orjson
import pytest
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, use_span

from notistream.errors import Misconfigured
from notistream.observability import logs, tracing
from notistream.observability.logs import (
    JsonFormatter,
    PlainFilter,
    RepeatFilter,
    WorkFilter,
    masked,
)

TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def record(level: int = logging.WARNING, lineno: int = 1, **extra: object) -> logging.LogRecord:
    made = logging.LogRecord("notistream.x", level, "x.py", lineno, "kafka is away", (), None)
    made.__dict__.update(extra)
    return made


async def test_a_line_has_what_is_bound_and_the_ids_of_its_trace():
    logs.bind(tenant_id="t", notification_id="n")
    context = tracing.context_of(TRACEPARENT)
    assert context is not None
    with use_span(NonRecordingSpan(context)):
        line = record(notification_id="of the call")
        assert WorkFilter().filter(line)
    shown = orjson.loads(JsonFormatter().format(line))
    assert (shown["tenant_id"], shown["notification_id"]) == ("t", "of the call")
    assert (shown["trace_id"], shown["span_id"]) == (TRACEPARENT[3:35], TRACEPARENT[36:52])


async def test_a_line_outside_of_everything_has_nothing_more():
    line = record()
    assert trace.get_current_span().get_span_context().is_valid is False
    WorkFilter().filter(line)
    assert set(orjson.loads(JsonFormatter().format(line))) == {"time", "level", "logger", "event"}


def test_repeats_of_one_place_are_left_out_and_counted():
    now = 0.0
    repeats = RepeatFilter(clock=lambda: now)
    assert sum(repeats.filter(record()) for _ in range(100)) == 20
    assert repeats.filter(record(lineno=2)), "another place has its own count"
    now = 10.0
    line = record()
    assert repeats.filter(line)
    assert line.__dict__["repeats_not_logged"] == 80
    line = record()
    assert repeats.filter(line)
    assert "repeats_not_logged" not in line.__dict__


def test_what_is_no_warning_is_always_written():
    repeats = RepeatFilter(clock=lambda: 0.0)
    assert all(repeats.filter(record(logging.INFO)) for _ in range(100))


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("+905551239876", "+90•••76"),
        ("ayse.yilmaz@example.com", "a•••@example.com"),
        ("short", "•••"),
        ("device-token-of-a-phone", "dev•••ne"),
        ("", "•••"),
    ],
)
def test_an_address_is_masked(address: str, shown: str):
    assert masked(address) == shown


def faust_error(error: Exception) -> logging.LogRecord:
    shown = (type(error), error, error.__traceback__)
    return logging.LogRecord(
        "faust.worker", logging.ERROR, "x.py", 1, "[^Process]: %r", (error,), shown
    )


def test_a_wrong_setting_is_said_in_words_where_faust_logs_the_way_it_came():
    line = faust_error(Misconfigured("set it to 8080"))
    assert PlainFilter().filter(line)
    assert orjson.loads(JsonFormatter().format(line)).items() >= {"event": "set it to 8080"}.items()
    assert line.exc_info is None


def test_a_defect_keeps_its_traceback():
    line = faust_error(ValueError())
    assert PlainFilter().filter(line)
    assert orjson.loads(JsonFormatter().format(line))["error"] == "ValueError"


@pytest.mark.parametrize(
    ("level", "message", "written"),
    [
        (logging.INFO, "[^--_Consumer]: Starting...", False),
        (logging.WARNING, "[^--_Consumer]: slow", True),
        (logging.INFO, "ready", True),
    ],
)
def test_the_comings_and_goings_of_fausts_parts_are_left_out(level, message, written):
    assert (
        PlainFilter().filter(
            logging.LogRecord("notistream.app", level, "x.py", 1, message, (), None)
        )
        is written
    )
