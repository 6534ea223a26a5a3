"""The rows of tenants, recipients, webhooks and the sandbox."""

from notistream.console import recipients, sandbox, tenants, webhooks
from notistream.console.route import action_route, page_route

TENANTS = (
    page_route("/tenants", tenants.show_many),
    action_route("/tenants/create", tenants.create),
    page_route("/tenants/{id}", tenants.show),
    action_route("/tenants/{id}/issue", tenants.issue),
    action_route("/tenants/{id}/rotate", tenants.rotate),
    action_route("/tenants/{id}/revoke", tenants.revoke),
)
SANDBOX = (
    page_route("/sandbox", sandbox.show_many),
    page_route("/sandbox/{tenant_id}/{id}", sandbox.show),
    page_route("/sandbox/{tenant_id}/{id}/html", sandbox.show_html),
)
ENDPOINT = "/webhooks/{tenant_id}/{id}"
WEBHOOKS = (
    page_route("/webhooks", webhooks.show_many),
    page_route(ENDPOINT, webhooks.show),
    page_route(ENDPOINT + "/deliveries/{delivery_id}", webhooks.show_delivery),
    action_route(ENDPOINT + "/switch", webhooks.switch),
    action_route(ENDPOINT + "/test", webhooks.test),
    action_route(ENDPOINT + "/redeliver", webhooks.redeliver),
    action_route(ENDPOINT + "/redeliver-span", webhooks.redeliver_span),
)
RECIPIENTS = (
    page_route("/recipients", recipients.show_many),
    page_route("/recipients/one", recipients.show),
    action_route("/recipients/reveal", recipients.reveal),
    action_route("/recipients/preferences", recipients.wish),
    action_route("/recipients/suppress", recipients.suppress),
    action_route("/recipients/unsuppress", recipients.unsuppress),
    action_route("/recipients/erase", recipients.erase),
)
PEOPLE = (*TENANTS, *RECIPIENTS, *WEBHOOKS, *SANDBOX)
