"""Handlers that do something with a template: preview while it is written, save, test in the sandbox, delete."""

from uuid import UUID, uuid4

from aiohttp import web

from notistream.console import template_editor as editor
from notistream.console import template_form, tenant_field
from notistream.console.rendering import OPERATOR, done, framed
from notistream.console.sessions import FORM
from notistream.console.template_editor import HERE, Owned
from notistream.console.template_form import TemplateForm
from notistream.db import audit_log
from notistream.db.templates import Replacement
from notistream.domain.draft import Draft
from notistream.errors import Conflict, FieldError, InvalidRequest, NotFound
from notistream.runtime import Runtime
from notistream.sending.acceptance import Caller
from notistream.templates.library import TemplateChanged, TemplateDraft, TemplateExists
from notistream.web.server.context import RUNTIME
from notistream.web.server.paths import path_id


async def preview(request: web.Request) -> web.Response:
    """The page again, with what it would send.

    It answers 200 also where something is wrong: that is what it shows.
    """
    return await editor.show(
        request, template_form.read(request[FORM]), owned=await _owned(request)
    )


async def _owned(request: web.Request) -> Owned | None:
    """The template that the form is of; None where it is not stored yet."""
    given = request[FORM].get("id", "")
    try:
        return await editor.owned(request.app[RUNTIME], UUID(given)) if given else None
    except ValueError:
        raise NotFound(f"there is no template {given[:100]}") from None


async def preview_html(request: web.Request) -> web.Response:
    """The HTML of the form, for the frame that the form is sent into."""
    found = (await editor.tried(request.app[RUNTIME], template_form.read(request[FORM]))).found
    return framed((found.parts.get("html") if found else None) or "")


async def create(request: web.Request) -> web.Response:
    form, runtime = template_form.read(request[FORM]), request.app[RUNTIME]
    try:
        tenant = await tenant_field.chosen(runtime.database, form.tenant)
        stored = await runtime.templates.create(
            tenant.id,
            TemplateDraft(
                name=form.name,
                channel=form.channel,
                content=form.content(),
                is_active=form.is_active,
            ),
            actor=request[OPERATOR].actor,
        )
    except InvalidRequest as exc:
        return await editor.show(request, form, status=exc.status, errors=exc.errors)
    except TemplateExists as exc:
        return await editor.show(
            request, form, status=exc.status, errors=[FieldError("/name", exc.detail)]
        )
    return done(request, f"{HERE}/{stored.id}", f"The template {stored.name} was stored.")


async def save(request: web.Request) -> web.Response:
    """Make the next version.

    Where somebody was faster, the form stays, and names the version that it would undo.
    """
    form, runtime = template_form.read(request[FORM]), request.app[RUNTIME]
    owned = await editor.owned(runtime, path_id(request))
    try:
        stored = await runtime.templates.replace(
            owned.stored.tenant_id,
            owned.stored.id,
            Replacement(content=form.content(), is_active=form.is_active, expected=form.expected()),
            actor=request[OPERATOR].actor,
        )
    except InvalidRequest as exc:
        return await editor.show(request, form, owned=owned, status=exc.status, errors=exc.errors)
    except TemplateChanged as exc:
        now = await editor.owned(runtime, owned.stored.id)
        return await editor.show(
            request, form, owned=now, status=exc.status, saved=now.stored.version
        )
    return done(request, f"{HERE}/{stored.id}", f"Version {stored.version} was saved.")


async def send_test(request: web.Request) -> web.Response:
    """The saved version with the values of the form, into the sandbox: no real provider ever gets it."""
    form, runtime = template_form.read(request[FORM]), request.app[RUNTIME]
    owned = await editor.owned(runtime, path_id(request))
    try:
        sent = await _test(runtime, owned, form, actor=request[OPERATOR].actor)
    except (InvalidRequest, Conflict) as exc:
        errors = (
            exc.errors
            if isinstance(exc, InvalidRequest)
            else [FieldError("/recipient", exc.detail)]
        )
        return await editor.show(request, form, owned=owned, status=exc.status, errors=errors)
    return done(request, f"/console/notifications/{sent}", "A test was sent to the sandbox.")


async def _test(runtime: Runtime, owned: Owned, form: TemplateForm, *, actor: str) -> UUID:
    """Raises InvalidRequest where a create would be refused, before anything is noted."""
    variables, locale = form.values()
    draft = Draft(
        channel=owned.stored.channel,
        recipient=form.recipient,
        template=str(owned.stored.id),
        template_variables=variables,
        locale=locale,
    )
    sender = Caller(tenant_id=owned.tenant.id, correlation_id=uuid4().hex, test=True)
    await runtime.notifications.checked(draft, sender)
    await audit_log.record(
        runtime.database,
        actor,
        "template.test",
        str(owned.stored.id),
        {"tenant_id": str(owned.tenant.id), "correlation_id": sender.correlation_id},
    )
    return (await runtime.notifications.create(draft, sender)).id


async def delete(request: web.Request) -> web.Response:
    runtime = request.app[RUNTIME]
    owned = await editor.owned(runtime, path_id(request))
    await runtime.templates.delete(owned.tenant.id, owned.stored.id, actor=request[OPERATOR].actor)
    return done(request, HERE, f"The template {owned.stored.name} was deleted.")
