"""Routes of the overview and of pauses."""

from notistream.console.overview import handlers, pause_handlers
from notistream.console.shell.route import action_route, page_route

ROUTES = (
    page_route("", handlers.show),
    page_route("/", handlers.redirect),
    action_route("/pauses", pause_handlers.pause),
    action_route("/pauses/resume", pause_handlers.resume),
)
