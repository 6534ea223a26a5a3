"""Trace context: which traces are followed, what becomes of a wrong header, and that nothing costs
nothing.
"""

from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from notistream.observability import tracing
from notistream.observability.tracing import NOTHING, SpanKind

SAMPLED = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
UNSAMPLED = SAMPLED[:-1] + "0"


@pytest.fixture
def configured(request: pytest.FixtureRequest) -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    tracing.configure(
        endpoint="http://127.0.0.1:1", sampling=request.param, role="test", exporter=exporter
    )
    yield exporter
    tracing.close()


def test_without_an_endpoint_nothing_is_traced():
    assert not tracing.active()
    assert tracing.first(SAMPLED, "x") is NOTHING
    assert tracing.below(SAMPLED, "x", kind=SpanKind.CONSUMER) is NOTHING
    assert tracing.within("x") is NOTHING
    assert (tracing.current(), tracing.now_ns()) == (None, None)
    with NOTHING as span:
        span.note(a=1)
        span.event("e")
        span.failed("f")
        span.note_status(500)
        assert span.traceparent is None


@pytest.mark.parametrize(
    ("traceparent", "configured", "kept"),
    [
        (SAMPLED, 0.0, True),
        (UNSAMPLED, 1.0, False),
        (None, 1.0, True),
        (None, 0.0, False),
        ("nonsense", 0.0, False),
    ],
    indirect=["configured"],
)
def test_whether_a_request_is_kept_is_the_callers_choice_first(traceparent, configured, kept):
    with tracing.first(traceparent, "request") as request:
        with tracing.within("inner"):
            pass
        inner = tracing.below(request.traceparent, "record", kind=SpanKind.CONSUMER, since_ns=1)
        inner.end()
    tracing.close()
    assert {span.name for span in configured.get_finished_spans()} == (
        {"request", "inner", "record"} if kept else set()
    )


@pytest.mark.parametrize("configured", [1.0], indirect=True)
def test_an_error_is_told_by_its_type_only(configured):
    with pytest.raises(ValueError, match="secret"), tracing.first(SAMPLED, "request"):
        raise ValueError("secret")
    tracing.close()
    (span,) = configured.get_finished_spans()
    assert (span.status.is_ok, span.status.description, span.events) == (False, "ValueError", ())


@pytest.mark.parametrize("configured", [1.0], indirect=True)
def test_links_name_other_traces(configured):
    with tracing.first(None, "replay"):
        tracing.link(SAMPLED)
        tracing.link(None)
        tracing.link_some([[("traceparent", SAMPLED.encode())], [("other", None)]])
    tracing.close()
    (span,) = configured.get_finished_spans()
    assert [f"{link.context.trace_id:032x}" for link in span.links] == [SAMPLED[3:35]] * 2


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ([], None),
        ([("correlation_id", b"x"), ("traceparent", SAMPLED.encode())], SAMPLED),
        ([("traceparent", UNSAMPLED.encode())], None),
        ([("traceparent", None)], None),
        ([("traceparent", b"\xff01")], "\ufffd01"),
    ],
)
@pytest.mark.parametrize("configured", [1.0], indirect=True)
def test_a_records_headers_are_looked_through(configured, headers, found):
    assert tracing.carried(headers) == found


@pytest.mark.parametrize("text", ["", "00-x-y-01", "00-0-0-01", "\ufffd01", "00-1"])
def test_a_wrong_traceparent_names_no_span(text):
    assert tracing.context_of(text) is None
