"""The one middleware: correlation, authentication, errors as problems, and figures per route."""

import logging
import os
import re
import time
from collections.abc import Mapping
from functools import cache

from aiohttp import web
from aiohttp.typedefs import Handler
from prometheus_client import Counter, Histogram

from notistream.access.authentication import Principal
from notistream.errors import (
    AdminOnly,
    MethodNotAllowed,
    NotFound,
    NotiStreamError,
    TooManyRequests,
    Unauthorized,
)
from notistream.observability import logs, metrics, tracing
from notistream.sending.acceptance import Caller
from notistream.web.server import limits, problems
from notistream.web.server.context import (
    CALLER,
    RATE_LIMIT_STATE,
    RECIPIENT_TOKEN,
    ROUTE_TABLE,
    RUNTIME,
)
from notistream.web.server.query import refuse_unknown
from notistream.web.server.route import Route
from notistream.web.server.ws_credentials import presented_token

log = logging.getLogger(__name__)
CORRELATION = re.compile(r"[\x20-\x7e]{1,128}\Z")
TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}\Z"
)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


@web.middleware
async def edge(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer every request, also when its handler fails."""
    started = time.perf_counter()
    correlation_id, traceparent = _correlation(request.headers)
    resource = request.match_info.route.resource
    path = resource.canonical if resource else ""
    route = request.app[ROUTE_TABLE].find(request.method, path)
    method = request.method if request.method in METHODS else "other"
    label = route.path if route else "unmatched"
    logs.bind(correlation_id=correlation_id)
    with _span(method, label, route, traceparent) as span:
        response = await _answered(
            request, handler, route, correlation_id, span.traceparent or traceparent
        )
        span.note_status(response.status)
    if not response.prepared:
        response.headers["X-Correlation-ID"] = correlation_id
        if (state := request.get(RATE_LIMIT_STATE)) is not None:
            response.headers.update(limits.headers(request.app[RUNTIME].request_limit.rate, state))
    _requests(method, label, response.status).inc()
    if response.status != 101:  # the time of a WebSocket is how long it is open
        _seconds(method, label).observe(time.perf_counter() - started)
    return response


async def _answered(
    request: web.Request,
    handler: Handler,
    route: Route | None,
    correlation_id: str,
    traceparent: str | None,
) -> web.StreamResponse:
    try:
        if route is not None and route.guard is not None:
            return await route.guard(request, handler)
        await _admit(request, route, correlation_id, traceparent)
        return await handler(request)
    except NotiStreamError as exc:
        return _refused(_locked_out(exc, request), request, correlation_id, traceparent)
    except web.HTTPException:
        raise
    except Exception as exc:  # noqa: BLE001 - the edge of the API: an answer without a stack trace, and one log line
        return _refused(NotiStreamError(), request, correlation_id, traceparent, cause=exc)


def _span(
    method: str, label: str, route: Route | None, traceparent: str | None
) -> tracing.Spanning:
    """Open a span named after the route, because the path may hold ids and tokens.

    Probes and WebSockets, which stay open for hours, have no span.
    """
    if route is None or route.public or route.token or not tracing.active():
        return tracing.NOTHING
    return tracing.first(
        traceparent,
        f"{method} {label}",
        attributes={"http.request.method": method, "http.route": label},
    )


MIDDLEWARES = (edge,)


async def _admit(
    request: web.Request, route: Route | None, correlation_id: str, traceparent: str | None
) -> None:
    if route is None:
        raise _no_route(request)
    if route.public:
        return
    authentication = request.app[RUNTIME].authentication
    if route.admin:
        if not authentication.is_admin(_secret(request.headers, "X-Admin-Token")):
            raise AdminOnly
    else:
        token = presented_token(request) if route.token else None
        if token is not None:
            request[RECIPIENT_TOKEN] = request.app[RUNTIME].realtime.tokens.verify(token)
            principal = Principal(request[RECIPIENT_TOKEN].tenant_id)
        else:
            principal = await authentication.authenticate(_secret(request.headers, "X-API-Key"))
        request[CALLER] = Caller(
            tenant_id=principal.tenant_id,
            correlation_id=correlation_id,
            traceparent=traceparent,
            test=principal.test,
        )
        logs.bind(correlation_id=correlation_id, tenant_id=principal.tenant_id)
        if principal.key_id is not None:
            await limits.meter(request, principal.key_id)
    if request.query_string:
        refuse_unknown(
            request.query, {p.name for p in route.operation.query} if route.operation else ()
        )


def _locked_out(error: NotiStreamError, request: web.Request) -> NotiStreamError:
    """Count a failed login; return TooManyRequests for an address with too many."""
    if isinstance(error, Unauthorized):
        try:
            request.app[RUNTIME].authentication.failed_logins.count(request.remote)
        except TooManyRequests as exc:
            metrics.KEYS_GUESSED.inc()
            return exc
    return error


def _secret(headers: Mapping[str, str], name: str) -> str | None:
    """Return the key or token of a request; one that is not ASCII cannot be valid."""
    value = headers.get(name)
    return "" if value is not None and not value.isascii() else value


def _correlation(headers: Mapping[str, str]) -> tuple[str, str | None]:
    """Return the caller's correlation id or a new one, and its traceparent if it is well-formed."""
    correlation_id = headers.get("X-Correlation-ID")
    if correlation_id is None or not CORRELATION.match(correlation_id):
        correlation_id = os.urandom(16).hex()
    traceparent = headers.get("traceparent")
    return correlation_id, traceparent if traceparent and TRACEPARENT.match(traceparent) else None


def _no_route(request: web.Request) -> NotiStreamError:
    """Return the error for a path without a route; pages that aiohttp adds are not served."""
    refused = request.match_info.http_exception
    if isinstance(refused, web.HTTPMethodNotAllowed):
        return MethodNotAllowed(
            f"{request.path} takes {', '.join(sorted(refused.allowed_methods))}"
        )
    return NotFound(f"there is nothing at {request.path[:200]}")


def _refused(
    error: NotiStreamError,
    request: web.Request,
    correlation_id: str,
    traceparent: str | None,
    cause: Exception | None = None,
) -> web.Response:
    if error.status == 500:
        log.error(
            "request failed",
            exc_info=cause or error,
            extra={
                "method": request.method,
                "route": (
                    request.match_info.route.resource
                    and request.match_info.route.resource.canonical
                ),
                "correlation_id": correlation_id,
            },
        )
    response = problems.response(error, trace_id=problems.trace_id(correlation_id, traceparent))
    refused = request.match_info.http_exception
    if isinstance(refused, web.HTTPMethodNotAllowed):
        response.headers["Allow"] = ", ".join(sorted(refused.allowed_methods))
    return response


@cache
def _requests(method: str, route: str, status: int) -> Counter:
    return metrics.HTTP_REQUESTS.labels(method, route, str(status))


@cache
def _seconds(method: str, route: str) -> Histogram:
    return metrics.HTTP_SECONDS.labels(method, route)
