"""The rows of the route table that are the console; none of them is in the API's document."""

from aiohttp import web

from notistream.web.console import assets, audit_log, health, overview, sign_in
from notistream.web.route import Handler, Route


def looks(path: str, handler: Handler) -> Route:
    """A page, for everybody who is signed in."""
    return Route(method="GET", path=f"/console{path}", handler=handler, console=True)


def acts(path: str, handler: Handler) -> Route:
    """What a form does; for operators, and only from a form of their session."""
    return Route(method="POST", path=f"/console{path}", handler=handler, console=True)


CONSOLE = (
    Route(method="GET", path="/console/assets/{name}", handler=assets.serve, public=True),
    Route(method="GET", path="/console/sign-in", handler=sign_in.ask, public=True),
    Route(method="POST", path="/console/sign-in", handler=sign_in.enter, public=True),
    acts("/sign-out", sign_in.leave),
    looks("", overview.show),
    looks("/", overview.to_it),
    looks("/health", health.show),
    looks("/audit-log", audit_log.show),
)


def prepare(app: web.Application) -> None:
    """What pages keep for the time that the application runs."""
    health.prepare(app)
