"""The rows of tenants, recipients, webhooks and the sandbox."""

from notistream.web.console import sandbox, tenants
from notistream.web.console.route import acts, looks

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
PEOPLE = (*TENANTS, *SANDBOX)
