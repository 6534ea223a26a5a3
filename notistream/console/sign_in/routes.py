"""Routes of signing in and out; only these and the assets are public."""

from notistream.console.shell.route import action_route
from notistream.console.sign_in import handlers
from notistream.web.server.route import Route

ROUTES = (
    Route(method="GET", path="/console/sign-in", handler=handlers.ask, public=True),
    Route(method="POST", path="/console/sign-in", handler=handlers.sign_in, public=True),
    action_route("/sign-out", handlers.sign_out),
)
