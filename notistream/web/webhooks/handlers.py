"""Handlers of outbound webhooks: endpoints, secrets and deliveries."""

from uuid import UUID

from aiohttp import web

from notistream.db import webhooks
from notistream.domain.webhook import EVENT_TYPES, TEST_EVENT
from notistream.errors import NotFound
from notistream.web.server.body import parse, read_body, refuse_body
from notistream.web.server.context import CALLER, RUNTIME, own
from notistream.web.server.paths import path_id
from notistream.web.server.query import Query
from notistream.web.server.respond import answer, no_content
from notistream.web.webhooks import bodies, views

BASE = "/api/v1/webhooks"
STATUSES = ("pending", "delivered", "failed")
KINDS = (*EVENT_TYPES, TEST_EVENT)


async def create(request: web.Request) -> web.Response:
    wanted, secret = bodies.endpoint(parse(bodies.PUT_WEBHOOK, await read_body(request)))
    made = await request.app[RUNTIME].webhooks.create(
        request[CALLER].tenant_id, wanted, secret=secret
    )
    return answer(views.with_secret(made), status=201, location=f"{BASE}/{made.id}")


async def show_many(request: web.Request) -> web.Response:
    query = Query(request.query)
    size, before = query.page_size(), query.cursor()
    query.check()
    found = await webhooks.list_page(
        own(request), request[CALLER].tenant_id, before=before, limit=size + 1
    )
    return answer(views.endpoint_page(found, size))


async def show(request: web.Request) -> web.Response:
    found = await request.app[RUNTIME].webhooks.get(request[CALLER].tenant_id, path_id(request))
    return answer(views.endpoint(found))


async def put(request: web.Request) -> web.Response:
    endpoint_id = path_id(request)
    wanted, secret = bodies.endpoint(parse(bodies.PUT_WEBHOOK, await read_body(request)))
    stored = await request.app[RUNTIME].webhooks.replace(
        request[CALLER].tenant_id, endpoint_id, wanted, secret=secret
    )
    return answer(views.endpoint(stored) if secret is None else views.with_secret(stored))


async def delete(request: web.Request) -> web.Response:
    await request.app[RUNTIME].webhooks.delete(request[CALLER].tenant_id, path_id(request))
    return no_content()


async def rotate(request: web.Request) -> web.Response:
    endpoint_id = path_id(request)
    body = await read_body(request) if request.can_read_body else b""
    secret = bodies.new_secret(parse(bodies.ROTATE_SECRET, body) if body else {})
    stored = await request.app[RUNTIME].webhooks.rotate(
        request[CALLER].tenant_id, endpoint_id, secret=secret
    )
    return answer(views.with_secret(stored))


async def test(request: web.Request) -> web.Response:
    endpoint_id = path_id(request)
    await refuse_body(request)
    queued = await request.app[RUNTIME].webhooks.test(request[CALLER].tenant_id, endpoint_id)
    return answer(
        views.delivery(queued), status=202, location=f"{BASE}/{endpoint_id}/deliveries/{queued.id}"
    )


async def show_deliveries(request: web.Request) -> web.Response:
    endpoint_id = path_id(request)
    query = Query(request.query)
    size, before = query.page_size(), query.cursor()
    status, kind = query.word("status", STATUSES), query.word("event_type", KINDS)
    query.check()
    found = await request.app[RUNTIME].webhooks.deliveries(
        request[CALLER].tenant_id,
        endpoint_id,
        before=before,
        status=status,
        kind=kind,
        limit=size + 1,
    )
    return answer(views.delivery_page(found, size))


async def show_delivery(request: web.Request) -> web.Response:
    endpoint_id = path_id(request)
    try:
        delivery_id = UUID(request.match_info["delivery_id"])
    except ValueError:
        raise NotFound("there is no such delivery") from None
    found = await request.app[RUNTIME].webhooks.delivery(
        request[CALLER].tenant_id, endpoint_id, delivery_id
    )
    return answer(views.whole_delivery(found))


async def redeliver(request: web.Request) -> web.Response:
    endpoint_id = path_id(request)
    meant = bodies.meant(parse(bodies.REDELIVER, await read_body(request)))
    count = await request.app[RUNTIME].webhooks.redeliver(
        request[CALLER].tenant_id, endpoint_id, meant
    )
    return answer(views.Redelivered(count=count), status=202)
