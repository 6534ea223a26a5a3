"""Routes of the sandbox."""

from notistream.console.sandbox import handlers
from notistream.console.shell.route import page_route

ROUTES = (
    page_route("/sandbox", handlers.show_many),
    page_route("/sandbox/{tenant_id}/{id}", handlers.show),
    page_route("/sandbox/{tenant_id}/{id}/html", handlers.show_html),
)
