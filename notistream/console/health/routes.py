"""Route of the health page."""

from notistream.console.health import handlers
from notistream.console.shell.route import page_route

ROUTES = (page_route("/health", handlers.show),)
