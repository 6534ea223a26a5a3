"""Routes of recipients."""

from notistream.console.recipients import handlers
from notistream.console.shell.route import action_route, page_route

ROUTES = (
    page_route("/recipients", handlers.show_many),
    page_route("/recipients/one", handlers.show),
    action_route("/recipients/reveal", handlers.reveal),
    action_route("/recipients/preferences", handlers.save_preferences),
    action_route("/recipients/suppress", handlers.suppress),
    action_route("/recipients/unsuppress", handlers.unsuppress),
    action_route("/recipients/erase", handlers.erase),
)
