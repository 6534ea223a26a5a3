"""Examples of the OpenAPI document for templates."""

from uuid import UUID

from notistream.db.records import StoredTemplate
from notistream.domain.template_text import TemplateText, TemplateVersion
from notistream.web.notifications.examples import NOW, TENANT

TEMPLATE_ID = UUID("01970000-0000-7000-8000-0000000000cc")

TEMPLATE = {
    "name": "welcome_email",
    "channel": "email",
    "body": "Hello {{.Name}}, welcome! Your code: {{.Code}}.",
}

STORED_TEMPLATE = StoredTemplate(
    id=TEMPLATE_ID,
    tenant_id=TENANT,
    name="welcome_email",
    channel="email",
    version=1,
    content=TemplateVersion(TemplateText(None, TEMPLATE["body"])),
    metadata={},
    is_active=True,
    created_at=NOW,
    updated_at=NOW,
)
