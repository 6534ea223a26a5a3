"""Routes of tenants and their keys."""

from notistream.console.shell.route import action_route, page_route
from notistream.console.tenants import handlers

ROUTES = (
    page_route("/tenants", handlers.show_many),
    action_route("/tenants/create", handlers.create),
    page_route("/tenants/{id}", handlers.show),
    action_route("/tenants/{id}/issue", handlers.issue),
    action_route("/tenants/{id}/rotate", handlers.rotate),
    action_route("/tenants/{id}/revoke", handlers.revoke),
)
