"""Handlers of tenants and their keys, for operators."""

from datetime import timedelta
from uuid import UUID

from aiohttp import web

from notistream.access.tenants import OVERLAP
from notistream.db import tenants
from notistream.db.audit_log import ADMIN
from notistream.errors import NotFound
from notistream.web.server.body import parse, read_body
from notistream.web.server.context import RUNTIME
from notistream.web.server.paths import path_id
from notistream.web.server.query import Query
from notistream.web.server.respond import answer, no_content
from notistream.web.tenants import views


def key_id(request: web.Request) -> UUID:
    """Return the key id in the path; raises NotFound if it is not a UUID."""
    try:
        return UUID(request.match_info["key_id"])
    except ValueError:
        raise NotFound("there is no such key") from None


async def create(request: web.Request) -> web.Response:
    wanted = parse(views.CREATE_TENANT, await read_body(request))
    made = await request.app[RUNTIME].tenancy.create(wanted["name"], actor=ADMIN)
    return answer(views.tenant(made), status=201, location=f"/internal/tenants/{made.id}")


async def show(request: web.Request) -> web.Response:
    return answer(views.tenant(await request.app[RUNTIME].tenancy.get(path_id(request))))


async def show_many(request: web.Request) -> web.Response:
    query = Query(request.query)
    size, before = query.page_size(), query.cursor()
    query.check()
    found = await tenants.list_page(request.app[RUNTIME].database, before=before, limit=size + 1)
    return answer(views.tenant_page(found, size))


async def issue_key(request: web.Request) -> web.Response:
    """The body may be left out."""
    tenant_id = path_id(request)
    body = await read_body(request) if request.can_read_body else b""
    wanted: views.IssueKey = parse(views.ISSUE_KEY, body) if body else {}
    return answer(
        views.new_key(
            await request.app[RUNTIME].tenancy.issue(
                tenant_id,
                name=wanted.get("name") or "default",
                kind=wanted.get("kind") or "live",
                expires_at=wanted.get("expires_at"),
                actor=ADMIN,
            )
        ),
        status=201,
    )


async def show_keys(request: web.Request) -> web.Response:
    query = Query(request.query)
    size, before = query.page_size(), query.cursor()
    query.check()
    return answer(
        views.key_page(
            await request.app[RUNTIME].tenancy.keys(
                path_id(request), before=before, limit=size + 1
            ),
            size,
        )
    )


async def revoke_key(request: web.Request) -> web.Response:
    await request.app[RUNTIME].tenancy.revoke(
        tenant_id=path_id(request), key_id=key_id(request), actor=ADMIN
    )
    return no_content()


async def rotate_key(request: web.Request) -> web.Response:
    """The body may be left out."""
    tenant_id, old = path_id(request), key_id(request)
    body = await read_body(request) if request.can_read_body else b""
    wanted: views.RotateKey = parse(views.ROTATE_KEY, body) if body else {}
    overlap_s = wanted.get("overlap_s")
    return answer(
        views.new_key(
            await request.app[RUNTIME].tenancy.rotate(
                tenant_id=tenant_id,
                key_id=old,
                overlap=OVERLAP if overlap_s is None else timedelta(seconds=overlap_s),
                expires_at=wanted.get("expires_at"),
                actor=ADMIN,
            )
        ),
        status=201,
    )
