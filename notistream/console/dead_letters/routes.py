"""Routes of dead letters."""

from notistream.console.dead_letters import handlers
from notistream.console.shell.route import action_route, page_route

ROUTES = (
    page_route("/dead-letters", handlers.show_many),
    page_route("/dead-letters/preview", handlers.preview),
    page_route("/dead-letters/{id}", handlers.show),
    action_route("/dead-letters/replay", handlers.replay),
    action_route("/dead-letters/replay-all", handlers.replay_all),
    action_route("/dead-letters/delete", handlers.delete),
)
