"""The rows of the route table that are the console."""

from aiohttp import web

from notistream.console import assets, audit_log, health, overview, pauses, sign_in
from notistream.console.dead_letter_routes import DEAD_LETTERS
from notistream.console.notification_routes import NOTIFICATIONS
from notistream.console.people_routes import PEOPLE
from notistream.console.route import action_route, page_route
from notistream.console.template_routes import TEMPLATES
from notistream.web.server.route import Route

CONSOLE = (
    Route(method="GET", path="/console/assets/{name}", handler=assets.serve, public=True),
    Route(method="GET", path="/console/sign-in", handler=sign_in.ask, public=True),
    Route(method="POST", path="/console/sign-in", handler=sign_in.enter, public=True),
    action_route("/sign-out", sign_in.leave),
    page_route("", overview.show),
    page_route("/", overview.to_it),
    action_route("/pauses", pauses.pause),
    action_route("/pauses/resume", pauses.resume),
    *NOTIFICATIONS,
    *DEAD_LETTERS,
    *PEOPLE,
    *TEMPLATES,
    page_route("/health", health.show),
    page_route("/audit-log", audit_log.show),
)


def prepare(app: web.Application) -> None:
    """What pages keep for the time that the application runs."""
    health.prepare(app)
