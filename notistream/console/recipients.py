"""Handlers of the recipients' pages: who there is, how one is reached and what one wishes.

Contacts are masked.
"""

from aiohttp import web

from notistream.console import preference_form
from notistream.console.filters import address, asked
from notistream.console.recipient_view import RecipientView, view_of
from notistream.console.rendering import OPERATOR, done, page
from notistream.console.sessions import FORM
from notistream.console.tenant_field import chosen as tenant_of
from notistream.console.tenant_shown import choice
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
    query = asked(request.query)
    wanted, first = query.text("tenant"), query.text("from")
    query.check()
    chosen = await choice(request, wanted)
    found = (
        []
        if chosen.tenant is None
        else await recipients.list_from(
            request.app[RUNTIME].database, chosen.tenant.id, first=first, limit=SIZE + 1
        )
    )
    given = {"tenant": wanted, "from": first}
    more = address(HERE, {**given, "from": found[SIZE].id}) if len(found) > SIZE else None
    return page(
        request,
        "recipients.html",
        chosen=chosen,
        recipients=found[:SIZE],
        first=first,
        more=more,
        masked=masked,
        link=lambda one: address(
            f"{HERE}/one", {"tenant": chosen.tenant and chosen.tenant.id, "id": one.id}
        ),
    )


async def show(request: web.Request) -> web.Response:
    query = asked(request.query)
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
        "recipient.html",
        status=status,
        found=found,
        shown=shown,
        masked=masked,
        periods=preference_form.PERIODS,
        wishes=(preference_form.WANTED, preference_form.UNWANTED),
        **{"errors": (), "form": preference_form.stored_form(found.preferences), **said},
    )


async def reveal(request: web.Request) -> web.Response:
    """The page with contacts.

    An answer and no address, so that it is asked for, and noted, each time.
    """
    found, support = await _meant(request)
    await support.reveal(found.id)
    return await _one(request, found, shown=True)


async def wish(request: web.Request) -> web.Response:
    found, support = await _meant(request)
    form = preference_form.sent_form(request[FORM])
    try:
        await support.wish(found.id, preference_form.read(form))
    except InvalidRequest as exc:
        return await _one(request, found, status=exc.status, errors=exc.errors, form=form)
    return done(request, _back(found), "The preferences were saved.")


async def suppress(request: web.Request) -> web.Response:
    (found, support), form = await _meant(request), request[FORM]
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
    assert place is not None, "or it was refused"
    channel, to = place
    await support.suppress(
        found.id, channel=channel, address=to, category=category, note=note or None
    )
    return done(request, _back(found), f"Suppressed: {channel} to {masked(to)}.")


async def unsuppress(request: web.Request) -> web.Response:
    found, support = await _meant(request)
    entry = found.suppression_of(request[FORM].get("entry", ""))
    if entry is None:
        raise NotFound("this address is not on the suppression list any more")
    await support.unsuppress(
        found.id, channel=entry.channel, address=entry.address, category=entry.category
    )
    return done(request, _back(found), f"Removed from the suppression list: {entry.channel}.")


async def erase(request: web.Request) -> web.Response:
    found, _ = await _meant(request)
    if request[FORM].get("typed", "").strip() != found.id.strip():
        return await _one(
            request,
            found,
            status=422,
            errors=[FieldError("/confirmation", "is not this recipient's id: nothing was erased")],
        )
    erased = await request.app[RUNTIME].erasure.erase(
        found.tenant.id, found.id, actor=request[OPERATOR].actor
    )
    return done(
        request,
        address(HERE, {"tenant": found.tenant.id}),
        f"The recipient was erased, from {erased.notifications} notifications; {erased.cancelled}"
        " of them still waited and were cancelled.",
    )


async def _meant(request: web.Request) -> tuple[RecipientView, RecipientSupport]:
    """Whom a form is about, and what may be done for them."""
    form = request[FORM]
    found = await _view(request, form.get("tenant", ""), form.get("id", ""))
    return found, RecipientSupport(
        request.app[RUNTIME].database, found.tenant.id, actor=request[OPERATOR].actor
    )


async def _view(request: web.Request, tenant: str, recipient_id: str) -> RecipientView:
    refuse_wrong({"/id": recipient_id_error(recipient_id)})
    database = request.app[RUNTIME].database
    return await view_of(database, await tenant_of(database, tenant), recipient_id)


def _back(found: RecipientView) -> str:
    return address(f"{HERE}/one", {"tenant": found.tenant.id, "id": found.id})
