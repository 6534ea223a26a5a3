"""Routes of replays of a time range."""

from notistream.console.replays import handlers
from notistream.console.shell.route import action_route, page_route

ROUTES = (
    page_route("/replays", handlers.show_many),
    page_route("/replays/preview", handlers.preview),
    action_route("/replays", handlers.start),
    action_route("/replays/{id}/stop", handlers.stop),
    action_route("/replays/{id}/resume", handlers.resume),
)
