"""Rows of the route table for probes and figures."""

from notistream.web.health import examples, handlers, views
from notistream.web.server.parameters import LIST_PROBLEMS, V1
from notistream.web.server.route import Answer, Content, Operation, Route


def _probe(path: str, *, ready: bool) -> Route:
    operation_id = path.strip("/").replace("/", "_")
    if not ready:
        alive = Answer(
            description="Alive.", content=Content(type=views.Liveness, examples=examples.ALIVE)
        )
        return Route(
            method="GET",
            path=path,
            handler=handlers.alive,
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
        handler=handlers.ready,
        public=True,
        operation=Operation(
            id=operation_id,
            tag="Operations",
            summary="Readiness: all dependencies are available",
            answers={
                200: Answer(description="Ready.", content=content),
                503: Answer(
                    description="Not ready; `checks` names what is missing.", content=missing
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
        handler=handlers.prometheus,
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
        handler=handlers.figures,
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
