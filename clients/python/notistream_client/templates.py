"""Operations on templates."""

from typing import Unpack

from notistream_client import bodies
from notistream_client.answers import Page
from notistream_client.bodies import Id
from notistream_client.call import Call, at
from notistream_client.loading import nothing, one, page
from notistream_client.operation import Group, R_co, listing, operation
from notistream_client.records import Template, TemplatePreview, TemplateVersion


class Templates(Group[R_co]):
    """Templates: texts with variables."""

    @operation
    def create(self, **template: Unpack[bodies.NewTemplate]) -> Call[Template]:
        """Store a template; Conflict if the channel has one of this name."""
        return Call(method="POST", path=at("templates"), body=template, read=one(Template))

    @operation
    def get(self, template_id: Id) -> Call[Template]:
        """Show a template."""
        return Call(method="GET", path=at("templates", template_id), read=one(Template))

    @listing
    def list(
        self,
        *,
        channel: bodies.Channel | str | None = None,
        name: str | None = None,
        cursor: str | None = None,
        page_size: int | None = None,
    ) -> Call[Page[Template]]:
        """List the tenant's own templates, newest first."""
        return Call(
            method="GET",
            path=at("templates"),
            query={"channel": channel, "name": name, "cursor": cursor, "page_size": page_size},
            read=page(Template),
        )

    @operation
    def replace(self, template_id: Id, **template: Unpack[bodies.NextTemplate]) -> Call[Template]:
        """Make the next version; it has only the texts that are given."""
        return Call(
            method="PUT", path=at("templates", template_id), body=template, read=one(Template)
        )

    @operation
    def delete(self, template_id: Id) -> Call[None]:
        """Delete a template; notifications accepted with it are still delivered with it."""
        return Call(method="DELETE", path=at("templates", template_id), read=nothing)

    @listing
    def versions(
        self, template_id: Id, *, cursor: str | None = None, page_size: int | None = None
    ) -> Call[Page[TemplateVersion]]:
        """List the versions of a template, newest first."""
        return Call(
            method="GET",
            path=at("templates", template_id, "versions"),
            query={"cursor": cursor, "page_size": page_size},
            read=page(TemplateVersion),
        )

    @operation
    def preview(self, template_id: Id, **values: Unpack[bodies.Values]) -> Call[TemplatePreview]:
        """Render a template with values."""
        return Call(
            method="POST",
            path=at("templates", template_id, "preview"),
            body=values,
            changes=False,
            read=one(TemplatePreview),
        )

    @operation
    def preview_unsaved(self, **template: Unpack[bodies.UnsavedTemplate]) -> Call[TemplatePreview]:
        """Render a template that is not stored."""
        return Call(
            method="POST",
            path=at("templates", "preview"),
            body=template,
            changes=False,
            read=one(TemplatePreview),
        )
