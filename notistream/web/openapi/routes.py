"""Rows of the route table for the documentation."""

from notistream.web.openapi import handlers
from notistream.web.server.route import Answer, Operation, Route

DOCUMENTATION = (
    Route(
        method="GET",
        path="/openapi.json",
        handler=handlers.openapi,
        public=True,
        operation=Operation(
            id="openapi",
            tag="Operations",
            summary="This document",
            answers={200: Answer(description="OpenAPI 3.1.")},
        ),
    ),
    Route(method="GET", path="/docs", handler=handlers.page, public=True),
    Route(method="GET", path="/docs/errors", handler=handlers.errors, public=True),
    Route(method="GET", path="/docs/assets/{name}", handler=handlers.asset, public=True),
    *(
        Route(method="GET", path=path, handler=handlers.to_page, public=True)
        for path in ("/", "/docs/", "/swagger", "/swagger/", "/swagger/index.html")
    ),
)
