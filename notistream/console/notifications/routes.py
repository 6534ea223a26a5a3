"""Routes of notifications."""

from notistream.console.notifications import handlers
from notistream.console.shell.route import action_route, page_route

ROUTES = (
    page_route("/notifications", handlers.show_many),
    page_route("/notifications/{id}", handlers.show),
    page_route("/notifications/{id}/html", handlers.show_html),
    page_route("/notifications/{id}/resend", handlers.preview_resend),
    action_route("/notifications/{id}/cancel", handlers.cancel),
    action_route("/notifications/{id}/resend", handlers.resend),
    action_route("/notifications/{id}/resolve", handlers.resolve),
)
