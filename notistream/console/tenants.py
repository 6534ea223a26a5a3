"""Handlers of the tenants' pages: who there is, with which keys and figures.

Keys issued, rotated, revoked.
"""

from datetime import datetime, timedelta
from uuid import UUID

from aiohttp import web
from multidict import MultiDict

from notistream.access.tenants import IssuedKey
from notistream.console.filters import address, asked, filled
from notistream.console.rendering import OPERATOR, done, page
from notistream.console.sessions import FORM
from notistream.console.tenant_field import chosen
from notistream.console.tenant_shown import id_of
from notistream.db import stats, tenants
from notistream.db.tenants import StoredKey
from notistream.errors import FieldError, InvalidRequest, KeyEnded, NotFound, TenantExists
from notistream.web.server.context import RUNTIME
from notistream.web.server.fields import moment
from notistream.web.server.query import Query

HERE = "/console/tenants"
SIZE = 50
KINDS = ("live", "test")
OVERLAPS = {"1": "1 hour", "24": "24 hours", "168": "7 days", "0": "not at all"}
"""How long a key works on after it was rotated, in hours."""


async def show_many(request: web.Request) -> web.Response:
    return await _list(request)


async def _list(request: web.Request, status: int = 200, **said: object) -> web.Response:
    query = asked(request.query)
    before, wanted = query.cursor("before"), query.text("name")
    query.check()
    if wanted:
        meant = await chosen(request.app[RUNTIME].database, wanted)
        return web.Response(status=302, headers={"Location": f"{HERE}/{meant.id}"})
    found = await tenants.list_page(request.app[RUNTIME].database, before=before, limit=SIZE + 1)
    older = address("", {"before": found[SIZE - 1].id}) if len(found) > SIZE else None
    return page(
        request,
        "tenants.html",
        status=status,
        tenants=found[:SIZE],
        older=older,
        first=before is None,
        **{"errors": (), "values": {}, **said},
    )


async def create(request: web.Request) -> web.Response:
    form = request[FORM]
    try:
        made = await request.app[RUNTIME].tenancy.create(
            form.get("name", "").strip(), actor=request[OPERATOR].actor
        )
    except InvalidRequest as exc:
        return await _list(request, 422, errors=exc.errors, values=form)
    except TenantExists as exc:
        return await _list(request, 409, errors=[FieldError("/name", exc.detail)], values=form)
    return done(request, f"{HERE}/{made.id}", f"The tenant {made.name} was made.")


async def show(request: web.Request) -> web.Response:
    return await _one(request)


async def _one(request: web.Request, status: int = 200, **said: object) -> web.Response:
    runtime, tenant_id, query = request.app[RUNTIME], id_of(request), Query(request.query)
    before = query.cursor("before")
    query.check()
    tenant = await runtime.tenancy.get(tenant_id)
    keys = await runtime.tenancy.keys(tenant_id, before=before, limit=SIZE + 1)
    older = address("", {"before": keys[SIZE - 1].id}) if len(keys) > SIZE else None
    return page(
        request,
        "tenant.html",
        status=status,
        tenant=tenant,
        keys=keys[:SIZE],
        older=older,
        first=before is None,
        totals=await stats.channel_totals(runtime.database.of(tenant_id), tenant_id),
        kinds=KINDS,
        overlaps=OVERLAPS,
        state=state,
        **{"errors": (), "values": {}, **said},
    )


async def issue(request: web.Request) -> web.Response:
    form, tenant_id = request[FORM], id_of(request)
    try:
        issued = await request.app[RUNTIME].tenancy.issue(
            tenant_id,
            name=form.get("name", "").strip(),
            kind=_kind(form),
            expires_at=_expiry(form),
            actor=request[OPERATOR].actor,
        )
    except InvalidRequest as exc:
        return await _one(request, 422, errors=exc.errors, values=form)
    return await _shown_once(request, issued, replaces=None)


async def rotate(request: web.Request) -> web.Response:
    form, tenant_id, key_id = request[FORM], id_of(request), _key_id(request[FORM])
    try:
        issued = await request.app[RUNTIME].tenancy.rotate(
            tenant_id=tenant_id,
            key_id=key_id,
            overlap=_overlap(form),
            actor=request[OPERATOR].actor,
        )
    except (KeyEnded, InvalidRequest) as exc:
        return await _one(request, exc.status, errors=[FieldError("/key", exc.detail)])
    return await _shown_once(request, issued, replaces=OVERLAPS[form["overlap"]])


async def revoke(request: web.Request) -> web.Response:
    tenant_id = id_of(request)
    key = await request.app[RUNTIME].tenancy.revoke(
        tenant_id=tenant_id, key_id=_key_id(request[FORM]), actor=request[OPERATOR].actor
    )
    return done(
        request,
        f"{HERE}/{tenant_id}",
        f"The key {key.prefix}… is revoked; it stops within five seconds.",
    )


async def _shown_once(
    request: web.Request, issued: IssuedKey, *, replaces: str | None
) -> web.Response:
    """The answer itself, and not a page to go on to: the key is kept nowhere."""
    tenant = await request.app[RUNTIME].tenancy.get(issued.stored.tenant_id)
    return page(
        request, "tenant_key.html", status=201, tenant=tenant, issued=issued, replaces=replaces
    )


def state(key: StoredKey, at: datetime) -> tuple[str, str]:
    """What a key is good for at this moment, and the tone of that."""
    if key.revoked_at is not None:
        return "revoked", "quiet"
    if key.expires_at is not None and key.expires_at <= at:
        return "expired", "quiet"
    return ("ending", "warn") if key.replaced_by is not None else ("works", "good")


def _kind(form: MultiDict[str]) -> str:
    if form.get("kind") not in KINDS:
        raise InvalidRequest([FieldError("/kind", "must be live or test")])
    return form["kind"]


def _expiry(form: MultiDict[str]) -> datetime | None:
    given = filled(MultiDict(expires_at=form.get("expires_at", ""))).get("expires_at")
    try:
        return moment(given) if given else None
    except ValueError as exc:
        raise InvalidRequest([FieldError("/expires_at", str(exc))]) from None


def _overlap(form: MultiDict[str]) -> timedelta:
    if form.get("overlap") not in OVERLAPS:
        raise InvalidRequest([FieldError("/overlap", "must be one of the choices")])
    return timedelta(hours=int(form["overlap"]))


def _key_id(form: MultiDict[str]) -> UUID:
    try:
        return UUID(form.get("key", ""))
    except ValueError:
        raise NotFound("there is no such key") from None
