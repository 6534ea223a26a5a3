"""Routes of templates."""

from notistream.console.shell.route import action_route, page_route
from notistream.console.templates import change_handlers, handlers

ROUTES = (
    page_route("/templates", handlers.show_many),
    page_route("/templates/new", handlers.begin),
    page_route("/templates/{id}", handlers.show),
    page_route("/templates/{id}/html", handlers.show_html),
    page_route("/templates/{id}/versions", handlers.show_versions),
    action_route("/templates/preview", change_handlers.preview),
    action_route("/templates/preview/html", change_handlers.preview_html),
    action_route("/templates/new", change_handlers.create),
    action_route("/templates/{id}/save", change_handlers.save),
    action_route("/templates/{id}/test", change_handlers.send_test),
    action_route("/templates/{id}/delete", change_handlers.delete),
)
