"""The rows of notifications."""

from notistream.console import notifications
from notistream.console.route import action_route, page_route

NOTIFICATIONS = (
    page_route("/notifications", notifications.show_many),
    page_route("/notifications/{id}", notifications.show),
    page_route("/notifications/{id}/html", notifications.show_html),
    page_route("/notifications/{id}/resend", notifications.preview_resend),
    action_route("/notifications/{id}/cancel", notifications.cancel),
    action_route("/notifications/{id}/resend", notifications.resend),
    action_route("/notifications/{id}/resolve", notifications.resolve),
)
