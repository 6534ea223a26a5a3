"""The rows of tenants, recipients, webhooks and the sandbox."""

from notistream.console import recipients, sandbox, tenants, webhooks
from notistream.console.route import acts, looks

TENANTS = (
    looks("/tenants", tenants.show_many),
    acts("/tenants/create", tenants.create),
    looks("/tenants/{id}", tenants.show),
    acts("/tenants/{id}/issue", tenants.issue),
    acts("/tenants/{id}/rotate", tenants.rotate),
    acts("/tenants/{id}/revoke", tenants.revoke),
)
SANDBOX = (
    looks("/sandbox", sandbox.show_many),
    looks("/sandbox/{tenant_id}/{id}", sandbox.show),
    looks("/sandbox/{tenant_id}/{id}/html", sandbox.show_html),
)
ENDPOINT = "/webhooks/{tenant_id}/{id}"
WEBHOOKS = (
    looks("/webhooks", webhooks.show_many),
    looks(ENDPOINT, webhooks.show),
    looks(ENDPOINT + "/deliveries/{delivery_id}", webhooks.show_delivery),
    acts(ENDPOINT + "/switch", webhooks.switch),
    acts(ENDPOINT + "/test", webhooks.test),
    acts(ENDPOINT + "/redeliver", webhooks.redeliver),
    acts(ENDPOINT + "/redeliver-span", webhooks.redeliver_span),
)
RECIPIENTS = (
    looks("/recipients", recipients.show_many),
    looks("/recipients/one", recipients.show),
    acts("/recipients/reveal", recipients.reveal),
    acts("/recipients/preferences", recipients.wish),
    acts("/recipients/suppress", recipients.suppress),
    acts("/recipients/unsuppress", recipients.unsuppress),
    acts("/recipients/erase", recipients.erase),
)
PEOPLE = (*TENANTS, *RECIPIENTS, *WEBHOOKS, *SANDBOX)
