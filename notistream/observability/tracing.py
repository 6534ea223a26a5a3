"""Tracing: W3C trace context in and out, spans of sampled traces, and their export over OTLP.

Whoever begins a trace decides whether it is sampled. The decision travels in the `traceparent` of
requests and records, so what is not sampled costs a look at its last character. Spans are our own:
one statement or one fetch serves many traces at once (docs/decisions/0030-tracing.md).
"""

import socket
import time
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from types import TracebackType
from typing import Self

from opentelemetry import trace
from opentelemetry.context import Context, attach, detach
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import Link, Span, SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.util.types import AttributeValue

from notistream import __version__

Attributes = Mapping[str, AttributeValue]
TRACEPARENT = "traceparent"
CONSUMER, PRODUCER, CLIENT = SpanKind.CONSUMER, SpanKind.PRODUCER, SpanKind.CLIENT
STATEMENT: Attributes = {"db.system.name": "postgresql"}
QUEUE, BATCH = 8192, 512
EXPORT_TIMEOUT_S = 5.0
MAX_LINKS = 32

_provider: TracerProvider | None = None
_tracer: trace.Tracer | None = None


def configure(
    *, endpoint: str, sampling: float, role: str, exporter: SpanExporter | None = None
) -> None:
    """Begin to trace: `sampling` is the share of traces, begun here, that are kept.

    Spans go to `endpoint` (OTLP/HTTP).

    Spans that the collector does not take in time are dropped, never waited for.
    """
    global _provider, _tracer  # noqa: PLW0603 - one per process, as the SDK itself has it
    resource = Resource.create(
        {
            "service.name": f"notistream-{role}",
            "service.version": __version__,
            "service.namespace": "notistream",
            "service.instance.id": f"{socket.gethostname()}-{role}",
        }
    )
    _provider = TracerProvider(resource=resource, sampler=ParentBased(TraceIdRatioBased(sampling)))
    chosen = exporter or OTLPSpanExporter(
        endpoint=f"{endpoint.rstrip('/')}/v1/traces", timeout=EXPORT_TIMEOUT_S
    )
    _provider.add_span_processor(
        BatchSpanProcessor(
            chosen, max_queue_size=QUEUE, max_export_batch_size=BATCH, schedule_delay_millis=1000
        )
    )
    _tracer = _provider.get_tracer("notistream", __version__)


def close() -> None:
    """Export what is left; at most a few seconds, also where the collector is away."""
    global _provider, _tracer
    provider, _provider, _tracer = _provider, None, None
    if provider is not None:
        provider.force_flush(2000)
        provider.shutdown()


def active() -> bool:
    """Whether this process traces at all."""
    return _tracer is not None


def sampled(traceparent: str | None) -> bool:
    """Whether spans of this trace are wanted."""
    return _tracer is not None and traceparent is not None and traceparent[-1:] in "13579bdf"


def carried(headers: Iterable[tuple[str, bytes | None]]) -> str | None:
    """The traceparent among the headers of a record, where its trace is sampled."""
    for name, value in headers:
        if name == TRACEPARENT and value and sampled(text := value.decode("ascii", "replace")):
            return text
    return None


def context_of(traceparent: str) -> SpanContext | None:
    """The span that a traceparent names."""
    parts = traceparent.split("-")
    try:
        trace_id, span_id, flags = int(parts[1], 16), int(parts[2], 16), int(parts[3], 16)
    except (IndexError, ValueError):
        return None
    found = SpanContext(trace_id, span_id, is_remote=True, trace_flags=TraceFlags(flags))
    return found if found.is_valid else None


def traceparent_of(span: Span) -> str | None:
    """How a span is named to others; None where it is none."""
    context = span.get_span_context()
    if not context.is_valid:
        return None
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{int(context.trace_flags):02x}"


def current() -> str | None:
    """The traceparent of what is being done now."""
    return traceparent_of(trace.get_current_span()) if _tracer is not None else None


class Spanning:
    """A span around a block; an error that leaves the block is recorded on it by its type only."""

    __slots__ = ("_token", "span")

    def __init__(self, span: Span) -> None:
        self.span = span

    def __enter__(self) -> Self:
        self._token = attach(trace.set_span_in_context(self.span))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        if kind is not None:
            self.failed(kind.__name__)
        detach(self._token)
        self.span.end()

    def note(self, **attributes: AttributeValue | None) -> None:
        """Set attributes, named as `notistream.…`; None is left out."""
        self.span.set_attributes(
            {f"notistream.{k}": v for k, v in attributes.items() if v is not None}
        )

    def event(self, name: str, **attributes: AttributeValue | None) -> None:
        """Something that happened within it."""
        self.span.add_event(name, {k: v for k, v in attributes.items() if v is not None})

    def failed(self, reason: str) -> None:
        """It ended badly; the reason must not be personal."""
        self.span.set_status(Status(StatusCode.ERROR, reason))

    def end(self, *_result: object) -> None:
        """End a span that was not entered; fit to be a callback."""
        self.span.end()

    def note_status(self, status: int) -> None:
        """The HTTP status that answers a request."""
        self.span.set_attribute("http.response.status_code", status)
        if status >= 500:
            self.failed(f"HTTP {status}")

    @property
    def traceparent(self) -> str | None:
        return traceparent_of(self.span)


class _Nothing(Spanning):
    """What stands in for a span where nothing is traced."""

    __slots__ = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        return None

    def note(self, **_attributes: AttributeValue | None) -> None:
        return None

    def event(self, name: str, **_attributes: AttributeValue | None) -> None:
        return None

    def failed(self, reason: str) -> None:
        return None

    def note_status(self, status: int) -> None:
        return None


NOTHING = _Nothing(trace.INVALID_SPAN)


def within(
    name: str, *, kind: SpanKind = SpanKind.INTERNAL, attributes: Attributes | None = None
) -> Spanning:
    """A span below what is being done now; nothing where that is not traced."""
    if _tracer is None or not trace.get_current_span().is_recording():
        return NOTHING
    return Spanning(_tracer.start_span(name, kind=kind, attributes=attributes))


def below(
    traceparent: str | None,
    name: str,
    *,
    kind: SpanKind,
    attributes: Attributes | None = None,
    links: Sequence[str] = (),
    since_ns: int | None = None,
) -> Spanning:
    """A span below the one that a record or row names; nothing where its trace is not sampled.

    `since_ns` is when it began (nanoseconds since 1970), where that was before now.
    """
    if not sampled(traceparent) or _tracer is None or traceparent is None:
        return NOTHING
    span = _tracer.start_span(
        name,
        context=_remote(traceparent),
        kind=kind,
        attributes=attributes,
        links=_links(links),
        start_time=since_ns,
    )
    return Spanning(span)


def first(traceparent: str | None, name: str, *, attributes: Attributes | None = None) -> Spanning:
    """The span of a request: below the caller's, or the first of a trace that chance may keep."""
    if _tracer is None:
        return NOTHING
    context = _remote(traceparent) if traceparent else Context()
    span = _tracer.start_span(name, context=context, kind=SpanKind.SERVER, attributes=attributes)
    return Spanning(span) if span.is_recording() else NOTHING


def link(traceparent: str | None) -> None:
    """Say that what is being done now is about that trace too."""
    span = trace.get_current_span()
    if traceparent and span.is_recording() and (context := context_of(traceparent)):
        span.add_link(context)


def link_some(records: Iterable[Iterable[tuple[str, bytes | None]]]) -> None:
    """Link the current span to the traces of these records' headers, up to MAX_LINKS."""
    if _tracer is not None and trace.get_current_span().is_recording():
        for headers in islice(records, MAX_LINKS):
            link(carried(headers))


def now_ns() -> int | None:
    """For `since_ns`; None where nothing is traced."""
    return time.time_ns() if _tracer is not None else None


def _remote(traceparent: str) -> Context:
    context = context_of(traceparent)
    return (
        trace.set_span_in_context(trace.NonRecordingSpan(context), Context())
        if context
        else Context()
    )


def _links(traceparents: Sequence[str]) -> list[Link]:
    return [Link(context) for text in traceparents if (context := context_of(text))]
