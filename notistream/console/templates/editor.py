"""The page of one template, whatever led to it: its form, what would be sent, and what is wrong."""

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
class Tried:
    """What a form would send; `variant` is the language that was chosen."""

    found: TemplatePreview | None = None
    variant: str | None = None
    errors: Sequence[FieldError] = ()


async def owned(runtime: Runtime, template_id: UUID) -> Owned:
    """Whosever it is; raises NotFound."""
    stored = await rows.find(runtime.database, template_id)
    tenant = await tenants.get(runtime.database, stored.tenant_id) if stored else None
    if stored is None or tenant is None:
        raise NotFound(f"there is no template {template_id}")
    return Owned(stored, tenant)


def starter(template_id: UUID) -> Starter | None:
    return starters_by_id().get(template_id)


async def tried(runtime: Runtime, form: TemplateForm) -> Tried:
    """What the form would send, or what is wrong with it."""
    try:
        variables, locale = form.values()
        variant, found = await runtime.templates.preview(
            form.content(), variables, channel=form.channel, locale=locale
        )
    except InvalidRequest as exc:
        return Tried(errors=exc.errors)
    return Tried(found, variant)


async def sample(runtime: Runtime, template: StoredTemplate | Starter) -> Mapping[str, Any]:
    """A value for every variable, to begin with: its own name."""
    _, found = await runtime.templates.preview(
        template.content, {}, channel=template.channel, locale=None
    )
    return {name: name for name in found.variables}


async def show(
    request: web.Request,
    form: TemplateForm,
    *,
    owned: Owned | None = None,
    from_starter: Starter | None = None,
    status: int = 200,
    errors: Sequence[FieldError] = (),
    saved: int | None = None,
    frame: str | None = None,
    taken: int | None = None,
) -> web.Response:
    """The form with its preview.

    `saved` is the version that somebody else has made meanwhile, `taken` the older one whose text
    this is, `frame` where the HTML of what is shown lies.
    """
    sandbox = SANDBOX if request.app[ROUTE_TABLE].find("GET", SANDBOX) else None
    return page(
        request,
        "templates/template.html",
        status=status,
        form=form,
        owned=owned,
        starter=from_starter,
        errors=errors,
        saved=saved,
        frame=frame,
        taken=taken,
        tried=await tried(request.app[RUNTIME], form),
        sandbox=sandbox,
        address=form.recipient or SANDBOX_ADDRESSES.get(form.channel, ""),
    )
