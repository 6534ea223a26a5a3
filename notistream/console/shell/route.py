"""Rows of the console: a page to look at, or what a form does; neither is in the API's document."""

from notistream.console.shell.sessions import serve
from notistream.web.server.route import Handler, Route


def page_route(path: str, handler: Handler) -> Route:
    """A page, for everybody who is signed in."""
    return Route(method="GET", path=f"/console{path}", handler=handler, guard=serve)


def action_route(path: str, handler: Handler) -> Route:
    """What a form does; for operators, and only from a form of their session."""
    return Route(method="POST", path=f"/console{path}", handler=handler, guard=serve)
