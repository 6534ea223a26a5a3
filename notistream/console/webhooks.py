"""Handlers of the webhooks' pages: endpoints and their state, what each was told, and what operators do about it."""

from datetime import datetime
from uuid import UUID

from aiohttp import web

from notistream.console.filters import address, asked, filled
from notistream.console.rendering import OPERATOR, done, page
from notistream.console.sessions import FORM
from notistream.console.tenant_shown import choice, id_of
from notistream.db.webhooks import StoredEndpoint, list_page
from notistream.domain.webhook import EVENT_TYPES, FAILING_FOR, SCHEDULE_S, TEST_EVENT
from notistream.errors import Conflict, FieldError, InvalidRequest, NotFound
from notistream.web.server.context import RUNTIME
from notistream.web.server.query import Query
from notistream.web.webhooks.bodies import STATUSES as ENDED
from notistream.webhooks.endpoints import MOST, Span
from notistream.webhooks.support import WebhookSupport

HERE = "/console/webhooks"
SIZE = 50
REFRESH_S = 3
STATUSES = ("pending", "delivered", "failed")
KINDS = (*EVENT_TYPES, TEST_EVENT)
TONES = {"pending": "wait", "delivered": "good", "failed": "bad"}


def support(request: web.Request) -> WebhookSupport:
    """What operators do, noted."""
    runtime = request.app[RUNTIME]
    return WebhookSupport(runtime.database, runtime.webhooks)


def state(endpoint: StoredEndpoint) -> tuple[str, str]:
    """How an endpoint is, and the tone of that."""
    if not endpoint.is_active:
        return ("disabled", "bad") if endpoint.disabled_at is not None else ("off", "quiet")
    return ("failing", "warn") if endpoint.failing_since is not None else ("active", "good")


async def show_many(request: web.Request) -> web.Response:
    query = asked(request.query)
    wanted = query.text("tenant")
    query.check()
    chosen = await choice(request, wanted)
    found = (
        []
        if chosen.tenant is None
        else await list_page(
            request.app[RUNTIME].database.of(chosen.tenant.id),
            chosen.tenant.id,
            before=None,
            limit=MOST,
        )
    )
    return page(
        request, "webhooks.html", chosen=chosen, endpoints=found, state=state, refresh_s=REFRESH_S
    )


async def show(request: web.Request) -> web.Response:
    return await _one(request)


async def _one(request: web.Request, status: int = 200, **said: object) -> web.Response:
    webhooks, tenant_id, endpoint_id = (
        request.app[RUNTIME].webhooks,
        id_of(request, "tenant_id"),
        id_of(request),
    )
    query = asked(request.query)
    before, wanted, kind = (
        query.cursor("before"),
        query.word("status", STATUSES),
        query.word("type", KINDS),
    )
    query.check()
    endpoint = await webhooks.get(tenant_id, endpoint_id)
    found = await webhooks.deliveries(
        tenant_id, endpoint_id, before=before, status=wanted, kind=kind, limit=SIZE + 1
    )
    given, here = {"status": wanted, "type": kind}, f"{HERE}/{tenant_id}/{endpoint_id}"
    older = address(here, {**given, "before": found[SIZE - 1].id}) if len(found) > SIZE else None
    return page(
        request,
        "webhook.html",
        status=status,
        endpoint=endpoint,
        state=state(endpoint),
        deliveries=found[:SIZE],
        kinds=KINDS,
        delivery_statuses=STATUSES,
        given=given,
        here=here,
        older=older,
        tones_of=TONES,
        first=address(here, given) if before else True,
        refresh_s=0 if before or status != 200 else REFRESH_S,
        failing_for=FAILING_FOR,
        ended=list(ENDED),
        **{"errors": (), "values": {}, **said},
    )


async def show_delivery(request: web.Request) -> web.Response:
    tenant_id, endpoint_id = id_of(request, "tenant_id"), id_of(request)
    webhooks = request.app[RUNTIME].webhooks
    endpoint = await webhooks.get(tenant_id, endpoint_id)
    delivery = await webhooks.delivery(tenant_id, endpoint_id, id_of(request, "delivery_id"))
    calls = [{**call, "at": _moment(call.get("at"))} for call in reversed(delivery.history)]
    return page(
        request,
        "webhook_delivery.html",
        endpoint=endpoint,
        delivery=delivery,
        calls=calls,
        here=f"{HERE}/{tenant_id}/{endpoint_id}",
        tones_of=TONES,
        most=len(SCHEDULE_S),
        refresh_s=REFRESH_S,
    )


async def switch(request: web.Request) -> web.Response:
    tenant_id, endpoint_id, on = (
        id_of(request, "tenant_id"),
        id_of(request),
        request[FORM].get("on") == "1",
    )
    changed = await support(request).switch(
        tenant_id, endpoint_id, on=on, actor=request[OPERATOR].actor
    )
    said = (
        "The endpoint is switched on; what waited goes out."
        if on
        else "The endpoint is switched off."
    )
    return done(
        request, f"{HERE}/{tenant_id}/{endpoint_id}", said if changed else "It was so already."
    )


async def test(request: web.Request) -> web.Response:
    tenant_id, endpoint_id = id_of(request, "tenant_id"), id_of(request)
    try:
        queued = await support(request).test(tenant_id, endpoint_id, actor=request[OPERATOR].actor)
    except Conflict as exc:
        return await _one(request, exc.status, refused=exc.detail)
    return done(
        request,
        f"{HERE}/{tenant_id}/{endpoint_id}/deliveries/{queued.id}",
        "A test event is queued; a worker sends it at once.",
    )


async def redeliver(request: web.Request) -> web.Response:
    """One delivery."""
    tenant_id, endpoint_id = id_of(request, "tenant_id"), id_of(request)
    delivery_id = _delivery_id(request[FORM].get("delivery", ""))
    await support(request).redeliver(
        tenant_id, endpoint_id, delivery_id, actor=request[OPERATOR].actor
    )
    return done(
        request,
        f"{HERE}/{tenant_id}/{endpoint_id}/deliveries/{delivery_id}",
        "It is queued again, from the beginning.",
    )


async def redeliver_span(request: web.Request) -> web.Response:
    tenant_id, endpoint_id, form = id_of(request, "tenant_id"), id_of(request), request[FORM]
    try:
        count = await support(request).redeliver_span(
            tenant_id, endpoint_id, _span(Query(filled(form))), actor=request[OPERATOR].actor
        )
    except InvalidRequest as exc:
        return await _one(request, exc.status, errors=exc.errors, values=form)
    except Conflict as exc:
        return await _one(request, exc.status, refused=exc.detail)
    return done(
        request, f"{HERE}/{tenant_id}/{endpoint_id}", f"{count} deliveries are queued again."
    )


def _span(query: Query) -> Span:
    since, until, ended = query.moment("since"), query.moment("until"), query.word("ended", ENDED)
    query.check()
    if since is None:
        raise InvalidRequest([FieldError("/since", "is required")])
    if until is not None and until <= since:
        raise InvalidRequest([FieldError("/until", "must lie after the beginning")])
    return Span(since, until, ENDED[ended or "failed"])


def _delivery_id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise NotFound("there is no such delivery") from None


def _moment(value: object) -> datetime | None:
    return datetime.fromisoformat(value) if isinstance(value, str) else None
