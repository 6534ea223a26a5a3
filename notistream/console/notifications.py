"""Handlers of the notifications' pages: the search, one with its timeline, and what operators do to it."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

from aiohttp import web

from notistream.console import tenant_field
from notistream.console.filters import address, asked
from notistream.console.rendering import OPERATOR, SAFE, done, framed, page
from notistream.console.sessions import FORM
from notistream.db import notification_search, tenants, trace
from notistream.db.notification_search import Found, Wanted
from notistream.db.records import StoredNotification
from notistream.delivery.rendering import Text, Unrenderable
from notistream.domain.notification import TERMINAL, Status
from notistream.domain.sms import segments
from notistream.errors import FieldError, InvalidRequest, NotFound, NotResendable
from notistream.recording.trace import timeline_of
from notistream.sending.acceptance import Caller
from notistream.sending.changes import Resolution
from notistream.web.server.context import ROUTE_TABLE, RUNTIME
from notistream.web.server.paths import path_id
from notistream.web.server.query import Query

HERE = "/console/notifications"
SANDBOX = "/console/sandbox"
SIZE = 50
REFRESH_S = 3
FIELDS = ("id", "tenant", "recipient", "status", "channel", "template", "since", "until")
WAITING = frozenset({Status.PENDING, Status.SCHEDULED, Status.RETRYING, Status.DEFERRED})
NOTHING_FOUND = Found((), None, stopped=False)


async def show_many(request: web.Request) -> web.Response:
    """The search; an id leads to its notification at once."""
    db, query = request.app[RUNTIME].database, asked(request.query)
    try:
        wanted_id = query.uuid("id")
        if wanted_id is not None and await trace.find(db, wanted_id) is not None:
            return web.Response(status=302, headers={**SAFE, "Location": f"{HERE}/{wanted_id}"})
        before = query.cursor("before")
        found = (
            await _search(request, query, before)
            if wanted_id is None
            else await _batch(request, wanted_id, before)
        )
    except InvalidRequest as exc:
        return await _list(request, NOTHING_FOUND, first=True, status=422, errors=exc.errors)
    return await _list(
        request, found, first=before is None, refresh_s=REFRESH_S if before is None else 0
    )


async def _search(request: web.Request, query: Query, before: UUID | None) -> Found:
    db = request.app[RUNTIME].database
    tenant = query.text("tenant")
    wanted = Wanted(
        status=query.word("status", list(Status)),
        channel=query.channel(),
        recipient=query.text("recipient"),
        template=query.text("template"),
        since=query.moment("since"),
        until=query.moment("until"),
        before=before,
    )
    query.check()
    owner = await tenant_field.meant(db, tenant)
    return await notification_search.search(
        db, replace(wanted, tenant_id=owner.id if owner else None), limit=SIZE
    )


async def _batch(request: web.Request, batch_id: UUID, before: UUID | None) -> Found:
    found = await notification_search.of_batch(
        request.app[RUNTIME].database, batch_id, before=before, limit=SIZE
    )
    if not found.notifications:
        raise InvalidRequest([FieldError("/id", "no notification and no batch has this id")])
    return found


async def _list(
    request: web.Request, found: Found, *, first: bool, status: int = 200, **more: Any
) -> web.Response:
    db = request.app[RUNTIME].database
    values = {name: request.query.get(name, "") for name in FIELDS}
    return page(
        request,
        "notifications.html",
        status=status,
        found=found,
        values=values,
        first=first,
        newest=address(HERE, values),
        older=address(HERE, values, before=found.older) if found.older else None,
        tenants=await notification_search.tenant_names(
            db, [one.tenant_id for one in found.notifications]
        ),
        offered=await tenant_field.offered(db),
        stretch=notification_search.STRETCH,
        **{"errors": (), **more},
    )


async def show(request: web.Request) -> web.Response:
    """One with all that is known of it."""
    runtime, stored = request.app[RUNTIME], await _stored(request)
    owner = await tenants.get(runtime.database, stored.tenant_id)
    text = await runtime.previews.text(stored)
    trace_id = await notification_search.trace_id(runtime.database, stored.id)
    return page(
        request,
        "notification.html",
        one=stored,
        owner=owner,
        **_shown(text, stored.channel),
        timeline=await timeline_of(runtime.database, stored),
        key=_own_key(stored),
        as_json=_as_json,
        trace_id=trace_id,
        trace_url=_trace_url(runtime.settings.trace_url, trace_id),
        cancellable=stored.status in WAITING,
        ended=stored.status in TERMINAL,
        refresh_s=REFRESH_S,
        sandbox=SANDBOX if stored.test and request.app[ROUTE_TABLE].find("GET", SANDBOX) else None,
    )


def _trace_url(pattern: str | None, trace_id: str | None) -> str | None:
    return pattern.replace("{trace_id}", trace_id) if pattern and trace_id else None


async def show_html(request: web.Request) -> web.Response:
    """The HTML of an e-mail, for a frame."""
    text = await request.app[RUNTIME].previews.text(await _stored(request))
    if not isinstance(text, Text) or text.html is None:
        raise NotFound("this notification has no HTML")
    return framed(text.html)


async def preview_resend(request: web.Request) -> web.Response:
    """What sending it once more would come to; nothing is done by looking."""
    stored = await _stored(request)
    if stored.status not in TERMINAL and stored.status != Status.UNKNOWN:
        raise NotResendable(f"notification {stored.id} is {stored.status}: it has not ended")
    return page(
        request,
        "notification_resend.html",
        one=stored,
        preview=await request.app[RUNTIME].previews.resend(stored),
    )


async def cancel(request: web.Request) -> web.Response:
    stored = await _stored(request)
    await request.app[RUNTIME].changes.cancel(
        stored.tenant_id, stored.id, actor=request[OPERATOR].actor
    )
    return done(request, f"{HERE}/{stored.id}", "The notification was cancelled.")


async def resend(request: web.Request) -> web.Response:
    """Once for the chain that the form was shown for, however often it is sent."""
    stored, chain = await _stored(request), request[FORM].get("chain", "")
    if chain != str(stored.chain):
        raise NotResendable("it was sent again since this form was shown; look at it first")
    sender = Caller(
        tenant_id=stored.tenant_id,
        correlation_id=stored.correlation_id or uuid4().hex,
        request_key=f"console chain {chain}",
    )
    await request.app[RUNTIME].changes.resend(sender, stored.id, actor=request[OPERATOR].actor)
    return done(request, f"{HERE}/{stored.id}", "The notification was queued to be sent once more.")


async def resolve(request: web.Request) -> web.Response:
    """End a held `unknown`, or send it again."""
    stored, outcome = await _stored(request), request[FORM].get("outcome", "")
    if outcome not in list(Resolution):
        raise InvalidRequest([FieldError("/outcome", f"must be one of {', '.join(Resolution)}")])
    await request.app[RUNTIME].changes.resolve(
        stored.tenant_id, stored.id, Resolution(outcome), actor=request[OPERATOR].actor
    )
    return done(request, f"{HERE}/{stored.id}", f"The unknown outcome was resolved: {outcome}.")


async def _stored(request: web.Request) -> StoredNotification:
    notification_id = path_id(request)
    found = await trace.find(request.app[RUNTIME].database, notification_id)
    if found is None:
        raise NotFound(f"there is no notification {notification_id}")
    return found


def _shown(text: Text | Unrenderable, channel: str) -> Mapping[str, Any]:
    if isinstance(text, Unrenderable):
        return {"text": None, "unrenderable": text.reason, "sms": None}
    return {
        "text": text,
        "unrenderable": None,
        "sms": segments(text.content) if channel == "sms" else None,
    }


def _own_key(stored: StoredNotification) -> str | None:
    """The sender's idempotency key; one that we made of a header is not shown."""
    key = stored.idempotency_key
    return None if key is None or key.startswith("\x1f") else key


def _as_json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)
