"""Handlers of recipients: the list, and one with contacts (masked) and preferences."""

from aiohttp import web

from notistream.console.recipients import preference_form
from notistream.console.recipients.view import RecipientView, view_of
from notistream.console.shell.query import read_fields, url
from notistream.console.shell.rendering import OPERATOR, done, page
from notistream.console.shell.sessions import FORM
from notistream.console.tenants.lookup import require_tenant, shown_tenant
from notistream.db import recipients
from notistream.domain.suppression import category_error
from notistream.domain.validation import length_error, nul_error, recipient_id_error
from notistream.errors import FieldError, InvalidRequest, NotFound
from notistream.observability.logs import masked
from notistream.recipients.support import RecipientSupport
from notistream.web.server.context import RUNTIME
from notistream.web.server.fields import refuse_wrong
from notistream.web.suppressions.bodies import MAX_NOTE

HERE = "/console/recipients"
SIZE = 50


async def show_many(request: web.Request) -> web.Response:
    query = read_fields(request.query)
    wanted, first = query.text("tenant"), query.text("from")
    query.check()
    chosen = await shown_tenant(request, wanted)
    found = (
        []
        if chosen.tenant is None
        else await recipients.list_from(
            request.app[RUNTIME].database, chosen.tenant.id, first=first, limit=SIZE + 1
        )
    )
    given = {"tenant": wanted, "from": first}
    more = url(HERE, {**given, "from": found[SIZE].id}) if len(found) > SIZE else None
    return page(
        request,
        "recipients/list.html",
        chosen=chosen,
        recipients=found[:SIZE],
        first=first,
        more=more,
        masked=masked,
        link=lambda one: url(
            f"{HERE}/one", {"tenant": chosen.tenant and chosen.tenant.id, "id": one.id}
        ),
    )


async def show(request: web.Request) -> web.Response:
    query = read_fields(request.query)
    tenant, recipient_id = query.text("tenant"), request.query.get("id", "")
    query.check()
    return await _one(request, await _view(request, tenant or "", recipient_id))


async def _one(
    request: web.Request,
    found: RecipientView,
    *,
    status: int = 200,
    shown: bool = False,
    **said: object,
) -> web.Response:
    return page(
        request,
        "recipients/recipient.html",
        status=status,
        found=found,
        shown=shown,
        masked=masked,
        periods=preference_form.PERIODS,
        wishes=(preference_form.WANTED, preference_form.UNWANTED),
        **{"errors": (), "form": preference_form.form_of(found.preferences), **said},
    )


async def reveal(request: web.Request) -> web.Response:
    """The page with contacts.

    It has no address of its own, so that it is requested, and audited, each time.
    """
    found, support = await _subject(request)
    await support.reveal(found.id)
    return await _one(request, found, shown=True)


async def save_preferences(request: web.Request) -> web.Response:
    found, support = await _subject(request)
    form = preference_form.submitted(request[FORM])
    try:
        await support.wish(found.id, preference_form.read(form))
    except InvalidRequest as exc:
        return await _one(request, found, status=exc.status, errors=exc.errors, form=form)
    return done(request, _back(found), "The preferences were saved.")


async def suppress(request: web.Request) -> web.Response:
    (found, support), form = await _subject(request), request[FORM]
    category, note = form.get("category", "").strip(), form.get("note", "").strip()
    place = found.address_of(form.get("address", ""))
    try:
        refuse_wrong(
            {
                "/address": None if place else "must be one of the recipient's",
                "/category": category_error(category) if category else None,
                "/note": nul_error(note) or length_error(note, MAX_NOTE),
            }
        )
    except InvalidRequest as exc:
        return await _one(request, found, status=exc.status, errors=exc.errors)
    assert place is not None, "an unknown address was refused"
    channel, to = place
    await support.suppress(
        found.id, channel=channel, address=to, category=category, note=note or None
    )
    return done(request, _back(found), f"Suppressed: {channel} to {masked(to)}.")


async def unsuppress(request: web.Request) -> web.Response:
    found, support = await _subject(request)
    entry = found.suppression_of(request[FORM].get("entry", ""))
    if entry is None:
        raise NotFound("this address is no longer on the suppression list")
    await support.unsuppress(
        found.id, channel=entry.channel, address=entry.address, category=entry.category
    )
    return done(request, _back(found), f"Removed from the suppression list: {entry.channel}.")


async def erase(request: web.Request) -> web.Response:
    found, _ = await _subject(request)
    if request[FORM].get("typed", "").strip() != found.id.strip():
        return await _one(
            request,
            found,
            status=422,
            errors=[FieldError("/confirmation", "is not this recipient's id; nothing was erased")],
        )
    erased = await request.app[RUNTIME].erasure.erase(
        found.tenant.id, found.id, actor=request[OPERATOR].actor
    )
    return done(
        request,
        url(HERE, {"tenant": found.tenant.id}),
        f"The recipient was erased from {erased.notifications} notifications;"
        f" {erased.cancelled} waiting ones were cancelled.",
    )


async def _subject(request: web.Request) -> tuple[RecipientView, RecipientSupport]:
    """The recipient of a form, and the actions on it."""
    form = request[FORM]
    found = await _view(request, form.get("tenant", ""), form.get("id", ""))
    return found, RecipientSupport(
        request.app[RUNTIME].database, found.tenant.id, actor=request[OPERATOR].actor
    )


async def _view(request: web.Request, tenant: str, recipient_id: str) -> RecipientView:
    refuse_wrong({"/id": recipient_id_error(recipient_id)})
    database = request.app[RUNTIME].database
    return await view_of(database, await require_tenant(database, tenant), recipient_id)


def _back(found: RecipientView) -> str:
    return url(f"{HERE}/one", {"tenant": found.tenant.id, "id": found.id})
