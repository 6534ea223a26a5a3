"""Keys of what handlers need, on the application and on a request."""

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
"""Set for requests with a recipient's token."""


def own(request: web.Request) -> TenantDatabase:
    """Return the database in the role of the request's tenant, which sees only its own rows."""
    return request.app[RUNTIME].database.of(request[CALLER].tenant_id)
