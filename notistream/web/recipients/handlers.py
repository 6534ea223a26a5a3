"""Handlers of recipients and their device tokens."""

from aiohttp import web

from notistream.db import device_tokens, recipients
from notistream.domain.validation import recipient_id_error, token_error
from notistream.errors import NotFound
from notistream.recipients import contacts as use_cases
from notistream.web.recipients import views
from notistream.web.recipients.bodies import (
    FORGET_TOKEN,
    PUT_RECIPIENT,
    REGISTER_TOKEN,
    contact,
    device,
)
from notistream.web.server.body import parse, read_body
from notistream.web.server.context import CALLER, RUNTIME, own
from notistream.web.server.fields import refuse_wrong
from notistream.web.server.query import Query
from notistream.web.server.respond import answer, no_content


def recipient_of(request: web.Request) -> str:
    """Return the recipient id in the path; raises InvalidRequest if it is not valid."""
    recipient_id = request.match_info["recipient_id"]
    refuse_wrong({"/path/recipient_id": recipient_id_error(recipient_id)})
    return recipient_id


async def show_many(request: web.Request) -> web.Response:
    query = Query(request.query)
    size, after = query.page_size(), query.text_cursor(1)
    query.check()
    found = await recipients.list_page(
        own(request), request[CALLER].tenant_id, after=after[0] if after else None, limit=size + 1
    )
    return answer(views.recipient_page(found, size))


async def put(request: web.Request) -> web.Response:
    recipient_id = recipient_of(request)
    wanted = contact(parse(PUT_RECIPIENT, await read_body(request)))
    stored, created = await use_cases.put(
        own(request), request[CALLER].tenant_id, recipient_id, wanted
    )
    return answer(views.recipient(stored), status=201 if created else 200)


async def show(request: web.Request) -> web.Response:
    recipient_id = recipient_of(request)
    found = await recipients.get(own(request), request[CALLER].tenant_id, recipient_id)
    if found is None:
        raise NotFound(f"there is no recipient {recipient_id!r}")
    return answer(views.recipient(found))


async def erase(request: web.Request) -> web.Response:
    erased = await request.app[RUNTIME].erasure.erase(
        request[CALLER].tenant_id, recipient_of(request)
    )
    return answer(views.erased(erased))


async def register_token(request: web.Request) -> web.Response:
    wanted = device(parse(REGISTER_TOKEN, await read_body(request)))
    await use_cases.register_device(
        own(request),
        request[CALLER].tenant_id,
        wanted.recipient_id,
        wanted.token,
        platform=wanted.platform,
    )
    return answer(
        views.device_token(
            wanted.token, recipient_id=wanted.recipient_id, platform=wanted.platform
        ),
        status=201,
    )


async def forget_token_of_path(request: web.Request) -> web.Response:
    return await _forget(request, request.match_info["token"], place="/path/token")


async def forget_token(request: web.Request) -> web.Response:
    return await _forget(
        request, parse(FORGET_TOKEN, await read_body(request))["token"], place="/token"
    )


async def _forget(request: web.Request, token: str, *, place: str) -> web.Response:
    refuse_wrong({place: token_error(token)})
    if not await device_tokens.forget(own(request), request[CALLER].tenant_id, token):
        raise NotFound("no recipient has this device token")
    return no_content()
