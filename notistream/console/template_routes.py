"""The rows of templates."""

from notistream.console import template_actions, templates
from notistream.console.route import action_route, page_route

TEMPLATES = (
    page_route("/templates", templates.show_many),
    page_route("/templates/new", templates.begin),
    page_route("/templates/{id}", templates.show),
    page_route("/templates/{id}/html", templates.show_html),
    page_route("/templates/{id}/versions", templates.show_versions),
    action_route("/templates/preview", template_actions.preview),
    action_route("/templates/preview/html", template_actions.preview_html),
    action_route("/templates/new", template_actions.create),
    action_route("/templates/{id}/save", template_actions.save),
    action_route("/templates/{id}/test", template_actions.send_test),
    action_route("/templates/{id}/delete", template_actions.delete),
)
