"""The rows of notifications."""

from notistream.console import notifications
from notistream.console.route import acts, looks

NOTIFICATIONS = (
    looks("/notifications", notifications.show_many),
    looks("/notifications/{id}", notifications.show),
    looks("/notifications/{id}/html", notifications.show_html),
    looks("/notifications/{id}/resend", notifications.preview_resend),
    acts("/notifications/{id}/cancel", notifications.cancel),
    acts("/notifications/{id}/resend", notifications.resend),
    acts("/notifications/{id}/resolve", notifications.resolve),
)
