"""Keys under which the application and a request carry what handlers need."""

from aiohttp import web

from notistream.runtime import Runtime
from notistream.services.acceptance import Sender
from notistream.web.body import LargeBodies
from notistream.web.route import RouteTable

RUNTIME = web.AppKey("notistream_runtime", Runtime)
ROUTE_TABLE = web.AppKey("notistream_route_table", RouteTable)
LARGE_BODIES = web.AppKey("notistream_large_bodies", LargeBodies)
SENDER = web.RequestKey("notistream_sender", Sender)
