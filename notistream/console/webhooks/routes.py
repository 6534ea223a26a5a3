"""Routes of webhook endpoints and their deliveries."""

from notistream.console.shell.route import action_route, page_route
from notistream.console.webhooks import handlers

ENDPOINT = "/webhooks/{tenant_id}/{id}"
ROUTES = (
    page_route("/webhooks", handlers.show_many),
    page_route(ENDPOINT, handlers.show),
    page_route(ENDPOINT + "/deliveries/{delivery_id}", handlers.show_delivery),
    action_route(ENDPOINT + "/switch", handlers.switch),
    action_route(ENDPOINT + "/test", handlers.test),
    action_route(ENDPOINT + "/redeliver", handlers.redeliver),
    action_route(ENDPOINT + "/redeliver-span", handlers.redeliver_span),
)
