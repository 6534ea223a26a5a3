"""Handlers of preferences, under /recipients and under /users."""

from aiohttp import web

from notistream.db import preferences, recipients
from notistream.db.preferences import StoredPreferences
from notistream.errors import NotFound
from notistream.recipients.contacts import wish
from notistream.web.preferences import bodies, user_bodies, views
from notistream.web.preferences.user_bodies import Wishes
from notistream.web.recipients.handlers import recipient_of
from notistream.web.server.body import parse, read_body
from notistream.web.server.context import CALLER, own
from notistream.web.server.fields import channel_name
from notistream.web.server.respond import answer, no_content


async def show(request: web.Request) -> web.Response:
    recipient_id = recipient_of(request)
    stored = await preferences.get(own(request), request[CALLER].tenant_id, recipient_id)
    return answer(views.preferences(stored))


async def put(request: web.Request) -> web.Response:
    recipient_id = recipient_of(request)
    wanted = bodies.preferences(parse(bodies.PUT_PREFERENCES, await read_body(request)))
    stored = await preferences.put(own(request), request[CALLER].tenant_id, recipient_id, wanted)
    return answer(views.preferences(stored))


async def show_user(request: web.Request) -> web.Response:
    recipient_id = recipient_of(request)
    stored = await preferences.get(own(request), request[CALLER].tenant_id, recipient_id)
    return await _user_answer(request, recipient_id, stored)


async def put_user(request: web.Request) -> web.Response:
    return await _put_user(request, channel=None)


async def put_user_channel(request: web.Request) -> web.Response:
    return await _put_user(request, channel=_channel_of(request))


async def drop_user_channel(request: web.Request) -> web.Response:
    recipient_id, channel = recipient_of(request), _channel_of(request)
    database = own(request)
    if not await preferences.drop_channel(
        database, request[CALLER].tenant_id, recipient_id, channel
    ):
        raise NotFound(f"{recipient_id!r} has no preferences for {channel}")
    return no_content()


def _channel_of(request: web.Request) -> str:
    return channel_name(request.match_info["channel"], pointer="/path/channel")


async def _put_user(request: web.Request, *, channel: str | None) -> web.Response:
    recipient_id, database, tenant_id = (
        recipient_of(request),
        own(request),
        request[CALLER].tenant_id,
    )
    wanted = user_bodies.read(await read_body(request), channel=channel)
    if isinstance(wanted, Wishes):
        stored = await wish(
            database, tenant_id, recipient_id, channels=wanted.channels, timezone=wanted.timezone
        )
    else:
        stored = await preferences.put(database, tenant_id, recipient_id, wanted)
    return await _user_answer(request, recipient_id, stored)


async def _user_answer(
    request: web.Request, recipient_id: str, stored: StoredPreferences
) -> web.Response:
    found = await recipients.get(own(request), request[CALLER].tenant_id, recipient_id)
    return answer(
        views.user_preferences(
            stored, user_id=recipient_id, timezone=found.timezone if found else "UTC"
        )
    )
