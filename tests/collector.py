"""An OpenTelemetry collector for tests: takes OTLP over HTTP and keeps the spans."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.serving import listening


@dataclass
class Span:
    """A span as it arrived; ids in hex, `parent` is empty for the first of a trace."""

    service: str
    name: str
    kind: int
    trace_id: str
    id: str
    parent: str
    attributes: dict[str, Any]
    events: list[tuple[str, dict[str, Any]]]
    links: list[tuple[str, str]]
    failed: bool
    start: int
    end: int


@dataclass
class Collector:
    """`spans` in order of arrival, `raw` the bodies."""

    endpoint: str = ""
    spans: list[Span] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.raw.append(body)
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            service = _values(resource.resource.attributes)["service.name"]
            for scope in resource.scope_spans:
                self.spans += [_span(service, span) for span in scope.spans]
        return web.Response(headers={"Content-Type": "application/x-protobuf"})

    def of(self, trace_id: str) -> list[Span]:
        """The spans of a trace in order of their beginning."""
        return sorted((s for s in self.spans if s.trace_id == trace_id), key=lambda s: s.start)


def _span(service: str, span: Any) -> Span:
    return Span(
        service,
        span.name,
        span.kind,
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        _values(span.attributes),
        [(e.name, _values(e.attributes)) for e in span.events],
        [(link.trace_id.hex(), link.span_id.hex()) for link in span.links],
        span.status.code == 2,
        span.start_time_unix_nano,
        span.end_time_unix_nano,
    )


def _values(attributes: Any) -> dict[str, Any]:
    return {a.key: getattr(a.value, a.value.WhichOneof("value")) for a in attributes}


@asynccontextmanager
async def collector() -> AsyncIterator[Collector]:
    """A collector on a free port of the loopback interface."""
    found = Collector()
    app = web.Application(client_max_size=16 * 1024 * 1024)
    app.router.add_post("/v1/traces", found.handle)
    async with listening(app) as found.endpoint:
        yield found
