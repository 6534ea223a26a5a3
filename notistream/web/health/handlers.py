"""Handlers of probes and figures: liveness, readiness, figures per channel, Prometheus."""

from aiohttp import web
from prometheus_client.exposition import choose_encoder

from notistream.db import stats
from notistream.observability import metrics
from notistream.operating.readiness import HEALTHY
from notistream.web.health import views
from notistream.web.server.context import CALLER, RUNTIME, own
from notistream.web.server.respond import answer


async def alive(_request: web.Request) -> web.Response:
    return answer({"status": "alive"})


async def ready(request: web.Request) -> web.Response:
    """503 says which dependency is missing; load balancers look at the status only."""
    checks = await request.app[RUNTIME].readiness.checks()
    if all(state == HEALTHY for state in checks.values()):
        return answer({"status": "ready", "checks": checks})
    return answer({"status": "not_ready", "checks": checks}, status=503)


async def figures(request: web.Request) -> web.Response:
    totals = await stats.channel_totals(own(request), request[CALLER].tenant_id)
    return answer(views.figures(totals))


async def prometheus(request: web.Request) -> web.Response:
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    return web.Response(body=encode(metrics.REGISTRY), headers={"Content-Type": content_type})
