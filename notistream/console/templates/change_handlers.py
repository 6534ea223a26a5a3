"""Handlers of actions on templates: preview, create, save, test in the sandbox, delete."""

from uuid import UUID, uuid4

from aiohttp import web

from notistream.console.shell.rendering import OPERATOR, done, framed
from notistream.console.shell.sessions import FORM
from notistream.console.templates import editor
from notistream.console.templates import form as template_form
from notistream.console.templates.editor import HERE, EditorState, Owned
from notistream.console.templates.form import TemplateForm
from notistream.console.tenants.lookup import require_tenant
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
    """The page with a preview of the form; 200 even for an invalid form, because it shows why."""
    form, owned = template_form.read(request[FORM]), await _owned(request)
    return await editor.show(request, form, EditorState(owned))


async def _owned(request: web.Request) -> Owned | None:
    """The template of the form; None where it is not stored yet."""
    given = request[FORM].get("id", "")
    try:
        return await editor.owned(request.app[RUNTIME], UUID(given)) if given else None
    except ValueError:
        raise NotFound(f"there is no template {given[:100]}") from None


async def preview_html(request: web.Request) -> web.Response:
    """The HTML of the form, for the frame that is the form's target."""
    preview = await editor.preview(request.app[RUNTIME], template_form.read(request[FORM]))
    return framed((preview.found.parts.get("html") if preview.found else None) or "")


async def create(request: web.Request) -> web.Response:
    form, runtime = template_form.read(request[FORM]), request.app[RUNTIME]
    try:
        tenant = await require_tenant(runtime.database, form.tenant)
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
        return await editor.show(request, form, EditorState(errors=exc.errors), status=exc.status)
    except TemplateExists as exc:
        taken = EditorState(errors=[FieldError("/name", exc.detail)])
        return await editor.show(request, form, taken, status=exc.status)
    return done(request, f"{HERE}/{stored.id}", f"The template {stored.name} was created.")


async def save(request: web.Request) -> web.Response:
    """Save the next version.

    If somebody else saved first, the form stays and names the version that it would replace.
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
        state = EditorState(owned, errors=exc.errors)
        return await editor.show(request, form, state, status=exc.status)
    except TemplateChanged as exc:
        now = await editor.owned(runtime, owned.stored.id)
        state = EditorState(now, saved=now.stored.version)
        return await editor.show(request, form, state, status=exc.status)
    return done(request, f"{HERE}/{stored.id}", f"Version {stored.version} was saved.")


async def send_test(request: web.Request) -> web.Response:
    """Send the saved version with the values of the form to the sandbox."""
    form, runtime = template_form.read(request[FORM]), request.app[RUNTIME]
    owned = await editor.owned(runtime, path_id(request))
    try:
        sent = await _test(runtime, owned, form, actor=request[OPERATOR].actor)
    except InvalidRequest as exc:
        state = EditorState(owned, errors=exc.errors)
        return await editor.show(request, form, state, status=exc.status)
    except Conflict as exc:
        state = EditorState(owned, errors=[FieldError("/recipient", exc.detail)])
        return await editor.show(request, form, state, status=exc.status)
    return done(request, f"/console/notifications/{sent}", "A test was sent to the sandbox.")


async def _test(runtime: Runtime, owned: Owned, form: TemplateForm, *, actor: str) -> UUID:
    """The id of the test; raises InvalidRequest before anything is audited."""
    variables, locale = form.values()
    draft = Draft(
        channel=owned.stored.channel,
        recipient=form.recipient,
        template=str(owned.stored.id),
        template_variables=variables,
        locale=locale,
    )
    caller = Caller(tenant_id=owned.tenant.id, correlation_id=uuid4().hex, test=True)
    await runtime.notifications.checked(draft, caller)
    await audit_log.record(
        runtime.database,
        actor,
        "template.test",
        str(owned.stored.id),
        {"tenant_id": str(owned.tenant.id), "correlation_id": caller.correlation_id},
    )
    return (await runtime.notifications.create(draft, caller)).id


async def delete(request: web.Request) -> web.Response:
    runtime = request.app[RUNTIME]
    owned = await editor.owned(runtime, path_id(request))
    await runtime.templates.delete(owned.tenant.id, owned.stored.id, actor=request[OPERATOR].actor)
    return done(request, HERE, f"The template {owned.stored.name} was deleted.")
