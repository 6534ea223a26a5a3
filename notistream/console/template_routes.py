"""The rows of templates."""

from notistream.console import template_actions, templates
from notistream.console.route import acts, looks

TEMPLATES = (
    looks("/templates", templates.show_many),
    looks("/templates/new", templates.begin),
    looks("/templates/{id}", templates.show),
    looks("/templates/{id}/html", templates.show_html),
    looks("/templates/{id}/versions", templates.show_versions),
    acts("/templates/preview", template_actions.preview),
    acts("/templates/preview/html", template_actions.preview_html),
    acts("/templates/new", template_actions.create),
    acts("/templates/{id}/save", template_actions.save),
    acts("/templates/{id}/test", template_actions.send_test),
    acts("/templates/{id}/delete", template_actions.delete),
)
