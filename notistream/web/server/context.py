"""Keys under which the application and a request carry what handlers need."""

from aiohttp import web

from notistream.access.request_limit import RateLimitState
from notistream.db.pool import TenantDatabase
from notistream.realtime.recipient_tokens import RecipientToken
from notistream.runtime import Runtime
from notistream.sending.acceptance import Caller
from notistream.web.server.body import LargeBodies
from notistream.web.server.route import RouteTable

RUNTIME = web.AppKey("notistream_runtime", Runtime)
ROUTE_TABLE = web.AppKey("notistream_route_table", RouteTable)
LARGE_BODIES = web.AppKey("notistream_large_bodies", LargeBodies)
CALLER = web.RequestKey("notistream_sender", Caller)
RATE_LIMIT_STATE = web.RequestKey("notistream_rate_limit_state", RateLimitState)
RECIPIENT_TOKEN = web.RequestKey("notistream_recipient_token", RecipientToken)
"""Who asks with a recipient's token."""


def own(request: web.Request) -> TenantDatabase:
    """The database as the request's tenant sees it: PostgreSQL itself keeps other tenants' rows away."""
    return request.app[RUNTIME].database.of(request[CALLER].tenant_id)
