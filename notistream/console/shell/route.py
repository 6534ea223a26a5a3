"""Routes of the console: pages and the actions of forms; they are not in the API's document."""

from notistream.console.shell.sessions import serve
from notistream.web.server.route import Handler, Route


def page_route(path: str, handler: Handler) -> Route:
    """A page for everybody who is signed in."""
    return Route(method="GET", path=f"/console{path}", handler=handler, guard=serve)


def action_route(path: str, handler: Handler) -> Route:
    """The action of a form; only for operators who may act, from a form of their session."""
    return Route(method="POST", path=f"/console{path}", handler=handler, guard=serve)
