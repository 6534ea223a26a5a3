"""The one table of routes: what is served and what is documented are read from the same rows."""

from collections.abc import Sequence
from functools import cache

from aiohttp import web

from notistream.runtime import Runtime
from notistream.web.callbacks.routes import CALLBACKS
from notistream.web.dead_letters.routes import DEAD_LETTERS
from notistream.web.health import handlers as health
from notistream.web.inbox.routes import REALTIME
from notistream.web.notifications import examples, views
from notistream.web.notifications import handlers as notifications
from notistream.web.notifications.bodies import CreateBatch, CreateNotification
from notistream.web.notifications.bulk_routes import BULK
from notistream.web.notifications.change_routes import OPERATIONS
from notistream.web.openapi import handlers as docs
from notistream.web.openapi.document import PATH_PARAMETER
from notistream.web.recipients.routes import RECIPIENT_ROUTES
from notistream.web.replays.routes import REPLAYS
from notistream.web.sandbox.routes import SANDBOX
from notistream.web.server import sockets
from notistream.web.server.body import LargeBodies
from notistream.web.server.context import LARGE_BODIES, ROUTE_TABLE, RUNTIME
from notistream.web.server.middleware import MIDDLEWARES
from notistream.web.server.parameters import (
    CHANNEL,
    CREATE_PROBLEMS,
    CURSOR,
    ITEM_PROBLEMS,
    LIST_PROBLEMS,
    MOMENT,
    SIZE,
    UUID,
    V1,
)
from notistream.web.server.route import Answer, Content, Operation, Parameter, Route, RouteTable
from notistream.web.suppressions.unsubscribe import UNSUBSCRIBE
from notistream.web.templates.routes import TEMPLATES
from notistream.web.tenants.routes import TENANTS
from notistream.web.webhooks.routes import WEBHOOKS

__all__ = ["MIDDLEWARES", "PROBES", "ROUTES", "install"]

LIST_PARAMETERS = (
    Parameter(
        name="status",
        description=(
            "Any of these; repeat it or separate by commas. queued = pending, "
            "dropped = suppressed or expired."
        ),
        schema={
            "type": "array",
            "items": {"type": "string", "enum": list(notifications.STATUS_WORDS)},
        },
    ),
    CHANNEL,
    Parameter(name="recipient", description="To exactly this address."),
    Parameter(name="recipient_id", description="To this stored recipient."),
    Parameter(name="batch_id", description="Of this batch.", schema=UUID),
    Parameter(name="template", description="Made from this template, by id or name."),
    Parameter(name="date_from", description="Created at or after this moment.", schema=MOMENT),
    Parameter(name="date_to", description="Created at or before this moment.", schema=MOMENT),
    CURSOR,
    SIZE,
)
ATOMIC = Parameter(
    name="atomic",
    description="true: accept all items or none.",
    schema={"type": "boolean", "default": False},
)
CANCEL = Answer(
    description="The cancelled notification.",
    content=Content(type=views.NotificationView, examples=examples.CANCELLATION),
)

NOTIFICATIONS = (
    Route(
        method="POST",
        path=V1 + "/notifications",
        handler=notifications.create,
        operation=Operation(
            id="createNotification",
            tag="Notifications",
            summary="Accept a notification",
            description=(
                "Stored when the answer is sent; delivered in the background. Give an address or a"
                " stored recipient, and a text or a template."
            ),
            body=Content(
                type=CreateNotification,
                examples={
                    "sms": examples.SMS,
                    "from a template": examples.TEMPLATED,
                    "stored recipient": examples.STORED_CONTACT,
                },
            ),
            answers={
                202: Answer(
                    description="Accepted.",
                    content=Content(type=views.NotificationView, examples=examples.ACCEPTED),
                    headers={"Location": "Where to follow it."},
                )
            },
            problems=CREATE_PROBLEMS,
            idempotent=True,
        ),
    ),
    Route(
        method="POST",
        path=V1 + "/notifications/batch",
        handler=notifications.create_batch,
        operation=Operation(
            id="createBatch",
            tag="Notifications",
            summary="Accept up to 1000 notifications",
            description=(
                "Each item is answered on its own, in order: the notification, or the problem"
                " with it."
            ),
            body=Content(type=CreateBatch, examples={"two": examples.BATCH}),
            query=(ATOMIC,),
            answers={
                202: Answer(
                    description="Accepted, with the refused items in their places.",
                    content=Content(type=views.BatchAccepted, examples=examples.BATCH_ACCEPTED),
                    headers={"Location": "Where to follow the batch."},
                )
            },
            problems=CREATE_PROBLEMS,
            idempotent=True,
        ),
    ),
    Route(
        method="GET",
        path=V1 + "/notifications",
        handler=notifications.show_many,
        operation=Operation(
            id="listNotifications",
            tag="Notifications",
            summary="List notifications, newest first",
            query=LIST_PARAMETERS,
            description=(
                "A page ends early where many do not match `status`, `channel`, `template` or the"
                " dates; it may then hold fewer than `page_size`, even none. The end is reached"
                " when `next_cursor` is null."
            ),
            answers={
                200: Answer(
                    description="A page.",
                    content=Content(type=views.NotificationPage, examples=examples.PAGE),
                )
            },
            problems=LIST_PROBLEMS,
        ),
    ),
    Route(
        method="GET",
        path=V1 + "/notifications/{id}",
        handler=notifications.show,
        operation=Operation(
            id="getNotification",
            tag="Notifications",
            summary="Show a notification",
            answers={
                200: Answer(
                    description="The notification.",
                    content=Content(type=views.NotificationView, examples=examples.SHOWN),
                )
            },
            problems=ITEM_PROBLEMS,
        ),
    ),
    Route(
        method="DELETE",
        path=V1 + "/notifications/{id}",
        handler=notifications.cancel,
        operation=Operation(
            id="deleteNotification",
            tag="Notifications",
            summary="Cancel a notification",
            description="The same as PATCH …/cancel.",
            answers={200: CANCEL},
            problems=(*ITEM_PROBLEMS, 409),
        ),
    ),
    Route(
        method="PATCH",
        path=V1 + "/notifications/{id}/cancel",
        handler=notifications.cancel,
        operation=Operation(
            id="cancelNotification",
            tag="Notifications",
            summary="Cancel a notification",
            description="Only while it is pending, scheduled, retrying or deferred.",
            answers={200: CANCEL},
            problems=(*ITEM_PROBLEMS, 409),
        ),
    ),
    Route(
        method="GET",
        path=V1 + "/notifications/{id}/trace",
        handler=notifications.trace,
        operation=Operation(
            id="traceNotification",
            tag="Notifications",
            summary="Show every decision and every attempt",
            answers={
                200: Answer(
                    description="The trace.",
                    content=Content(type=views.TraceView, examples=examples.TRACED),
                )
            },
            problems=ITEM_PROBLEMS,
        ),
    ),
    Route(
        method="GET",
        path=V1 + "/batches/{id}",
        handler=notifications.show_batch,
        operation=Operation(
            id="getBatch",
            tag="Notifications",
            summary="Show how far a batch is",
            answers={
                200: Answer(
                    description="The batch.",
                    content=Content(type=views.BatchView, examples=examples.BATCH_SHOWN),
                )
            },
            problems=ITEM_PROBLEMS,
        ),
    ),
)


def _probe(path: str, *, ready: bool) -> Route:
    operation_id = path.strip("/").replace("/", "_")
    if not ready:
        alive = Answer(
            description="Alive.", content=Content(type=views.Liveness, examples=examples.ALIVE)
        )
        return Route(
            method="GET",
            path=path,
            handler=health.alive,
            public=True,
            operation=Operation(
                id=operation_id,
                tag="Operations",
                summary="Liveness: the process answers",
                answers={200: alive},
            ),
        )
    content = Content(type=views.ReadinessView, examples=examples.READY)
    missing = Content(type=views.ReadinessView, examples=examples.NOT_READY)
    return Route(
        method="GET",
        path=path,
        handler=health.ready,
        public=True,
        operation=Operation(
            id=operation_id,
            tag="Operations",
            summary="Readiness: what this process needs is there",
            answers={
                200: Answer(description="Ready.", content=content),
                503: Answer(
                    description="Not ready; `checks` says what is missing.", content=missing
                ),
            },
        ),
    )


PROBES = (
    _probe("/health", ready=False),
    _probe("/livez", ready=False),
    _probe("/health/ready", ready=True),
    _probe("/readyz", ready=True),
    Route(
        method="GET",
        path="/metrics",
        handler=health.prometheus,
        public=True,
        operation=Operation(
            id="prometheus",
            tag="Operations",
            summary="Figures of this process for Prometheus",
            answers={
                200: Answer(
                    description="Prometheus text, or OpenMetrics where asked for.",
                    media_type="text/plain",
                )
            },
        ),
    ),
)

FIGURES = (
    Route(
        method="GET",
        path=V1 + "/metrics",
        handler=health.figures,
        operation=Operation(
            id="figures",
            tag="Operations",
            summary="Figures per channel, from the database",
            answers={
                200: Answer(
                    description="Figures.",
                    content=Content(type=views.Figures, examples=examples.FIGURES),
                )
            },
            problems=LIST_PROBLEMS,
        ),
    ),
)

DOCUMENTATION = (
    Route(
        method="GET",
        path="/openapi.json",
        handler=docs.openapi,
        public=True,
        operation=Operation(
            id="openapi",
            tag="Operations",
            summary="This document",
            answers={200: Answer(description="OpenAPI 3.1.")},
        ),
    ),
    Route(method="GET", path="/docs", handler=docs.page, public=True),
    Route(method="GET", path="/docs/errors", handler=docs.errors, public=True),
    Route(method="GET", path="/docs/assets/{name}", handler=docs.asset, public=True),
    *(
        Route(method="GET", path=path, handler=docs.to_page, public=True)
        for path in ("/", "/docs/", "/swagger", "/swagger/", "/swagger/index.html")
    ),
)

ROUTES = (
    *NOTIFICATIONS,
    *BULK,
    *TEMPLATES,
    *RECIPIENT_ROUTES,
    *REALTIME,
    *WEBHOOKS,
    *FIGURES,
    *DEAD_LETTERS,
    *OPERATIONS,
    *REPLAYS,
    *SANDBOX,
    *TENANTS,
    *UNSUBSCRIBE,
    *CALLBACKS,
    *PROBES,
    *DOCUMENTATION,
)


def install(web_app: web.Application, runtime: Runtime, routes: Sequence[Route]) -> None:
    """Serve `routes`: those of the API here, and others that the composition root adds.

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
    """What depends on the rows alone, made once: it is most of the time that an application takes to be made."""
    router = web.UrlDispatcher()
    for route in routes:
        path = PATH_PARAMETER.sub(
            r"{\1:[^/]+}", route.path
        )  # the default pattern has no room for ids with braces
        router.add_route(route.method, path, route.handler)
        if route.method == "GET":
            router.add_route("HEAD", path, route.handler)
    return RouteTable(routes), tuple(router.resources())
