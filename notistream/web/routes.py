"""The table of routes: the server and the OpenAPI document read the same rows."""

from collections.abc import Sequence
from functools import cache

from aiohttp import web

from notistream.runtime import Runtime
from notistream.web.batches.routes import BATCHES
from notistream.web.callbacks.routes import CALLBACKS
from notistream.web.dead_letters.routes import DEAD_LETTERS
from notistream.web.health.routes import FIGURES, PROBES
from notistream.web.inbox.routes import REALTIME
from notistream.web.notifications.change_routes import CHANGES
from notistream.web.notifications.routes import NOTIFICATIONS
from notistream.web.openapi.document import PATH_PARAMETER
from notistream.web.openapi.routes import DOCUMENTATION
from notistream.web.pauses.routes import PAUSES
from notistream.web.preferences.routes import PREFERENCES
from notistream.web.previews.routes import PREVIEWS
from notistream.web.recipients.routes import RECIPIENTS
from notistream.web.replays.routes import REPLAYS
from notistream.web.sandbox.routes import SANDBOX
from notistream.web.server import sockets
from notistream.web.server.body import LargeBodies
from notistream.web.server.context import LARGE_BODIES, ROUTE_TABLE, RUNTIME
from notistream.web.server.middleware import MIDDLEWARES
from notistream.web.server.route import Route, RouteTable
from notistream.web.suppressions.routes import SUPPRESSIONS
from notistream.web.suppressions.unsubscribe import UNSUBSCRIBE
from notistream.web.templates.routes import TEMPLATES
from notistream.web.tenants.routes import TENANTS
from notistream.web.webhooks.routes import WEBHOOKS

__all__ = ["MIDDLEWARES", "PROBES", "ROUTES", "install"]


ROUTES = (
    *NOTIFICATIONS,
    *PREVIEWS,
    *CHANGES,
    *BATCHES,
    *TEMPLATES,
    *RECIPIENTS,
    *PREFERENCES,
    *SUPPRESSIONS,
    *REALTIME,
    *WEBHOOKS,
    *FIGURES,
    *DEAD_LETTERS,
    *PAUSES,
    *REPLAYS,
    *SANDBOX,
    *TENANTS,
    *UNSUBSCRIBE,
    *CALLBACKS,
    *PROBES,
    *DOCUMENTATION,
)


def install(web_app: web.Application, runtime: Runtime, routes: Sequence[Route]) -> None:
    """Serve `routes`: ROUTES, and those that the composition root adds.

    The application must have been made with MIDDLEWARES.
    """
    web_app[RUNTIME] = runtime
    table, resources = _served(tuple(routes))
    web_app[ROUTE_TABLE] = table
    web_app[LARGE_BODIES] = LargeBodies()
    sockets.prepare(web_app)
    for resource in resources:
        web_app.router.register_resource(resource)


@cache
def _served(routes: tuple[Route, ...]) -> tuple[RouteTable, tuple[web.AbstractResource, ...]]:
    """Build what depends on the rows alone, once: it is slow, and tests make many applications."""
    router = web.UrlDispatcher()
    for route in routes:
        # aiohttp's default pattern refuses ids with braces.
        path = PATH_PARAMETER.sub(r"{\1:[^/]+}", route.path)
        router.add_route(route.method, path, route.handler)
        if route.method == "GET":
            router.add_route("HEAD", path, route.handler)
    return RouteTable(routes), tuple(router.resources())
