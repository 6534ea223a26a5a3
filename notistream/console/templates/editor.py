"""The page of one template: its form, a preview, and the errors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from aiohttp import web

from notistream.console.shell.rendering import page
from notistream.console.templates.form import TemplateForm
from notistream.db import templates as rows
from notistream.db import tenants
from notistream.db.records import StoredTemplate
from notistream.db.tenants import StoredTenant
from notistream.domain.template_preview import TemplatePreview
from notistream.errors import FieldError, InvalidRequest, NotFound
from notistream.runtime import Runtime
from notistream.templates.starters import Starter, starters_by_id
from notistream.web.server.context import ROUTE_TABLE, RUNTIME

HERE = "/console/templates"
SANDBOX = "/console/sandbox"
SANDBOX_ADDRESSES: Mapping[str, str] = {
    "sms": "+15005550006",
    "email": "ada@example.com",
    "push": "device-of-a-test",
    "in_app": "reader-of-a-test",
}


@dataclass(frozen=True, slots=True)
class Owned:
    """A tenant's template, and the tenant."""

    stored: StoredTemplate
    tenant: StoredTenant


@dataclass(frozen=True, slots=True)
class Preview:
    """What a form would send, or its errors; `variant` is the chosen language."""

    found: TemplatePreview | None = None
    variant: str | None = None
    errors: Sequence[FieldError] = ()


@dataclass(frozen=True, slots=True)
class EditorState:
    """What the page shows beside the form: whose template it is, and what happened to it."""

    owned: Owned | None = None
    starter: Starter | None = None
    errors: Sequence[FieldError] = ()
    saved: int | None = None
    """The version that somebody else has saved meanwhile."""
    older: int | None = None
    """The version whose text this is, if it is not the newest."""
    html_url: str | None = None
    """The address of the stored HTML, for the frame."""


NEW = EditorState()


async def owned(runtime: Runtime, template_id: UUID) -> Owned:
    """The template of any tenant; raises NotFound."""
    stored = await rows.find(runtime.database, template_id)
    tenant = await tenants.get(runtime.database, stored.tenant_id) if stored else None
    if stored is None or tenant is None:
        raise NotFound(f"there is no template {template_id}")
    return Owned(stored, tenant)


def starter(template_id: UUID) -> Starter | None:
    return starters_by_id().get(template_id)


async def preview(runtime: Runtime, form: TemplateForm) -> Preview:
    """What the form would send, or its errors."""
    try:
        variables, locale = form.values()
        variant, found = await runtime.templates.preview(
            form.content(), variables, channel=form.channel, locale=locale
        )
    except InvalidRequest as exc:
        return Preview(errors=exc.errors)
    return Preview(found, variant)


async def sample(runtime: Runtime, template: StoredTemplate | Starter) -> Mapping[str, Any]:
    """A first value for every variable: its own name."""
    _, found = await runtime.templates.preview(
        template.content, {}, channel=template.channel, locale=None
    )
    return {name: name for name in found.variables}


async def show(
    request: web.Request, form: TemplateForm, state: EditorState = NEW, *, status: int = 200
) -> web.Response:
    """The form with its preview."""
    return page(
        request,
        "templates/template.html",
        status=status,
        form=form,
        state=state,
        preview=await preview(request.app[RUNTIME], form),
        sandbox=SANDBOX if request.app[ROUTE_TABLE].find("GET", SANDBOX) else None,
        address=form.recipient or SANDBOX_ADDRESSES.get(form.channel, ""),
    )
