"""The console's part of the route table."""

from aiohttp import web

from notistream.console.audit_log.routes import ROUTES as AUDIT_LOG
from notistream.console.dead_letters.routes import ROUTES as DEAD_LETTERS
from notistream.console.health import handlers as health
from notistream.console.health.routes import ROUTES as HEALTH
from notistream.console.notifications.routes import ROUTES as NOTIFICATIONS
from notistream.console.overview.routes import ROUTES as OVERVIEW
from notistream.console.recipients.routes import ROUTES as RECIPIENTS
from notistream.console.replays.routes import ROUTES as REPLAYS
from notistream.console.sandbox.routes import ROUTES as SANDBOX
from notistream.console.shell import assets
from notistream.console.sign_in.routes import ROUTES as SIGN_IN
from notistream.console.templates.routes import ROUTES as TEMPLATES
from notistream.console.tenants.routes import ROUTES as TENANTS
from notistream.console.webhooks.routes import ROUTES as WEBHOOKS
from notistream.web.server.route import Route

CONSOLE = (
    Route(method="GET", path="/console/assets/{name}", handler=assets.serve, public=True),
    *SIGN_IN,
    *OVERVIEW,
    *NOTIFICATIONS,
    *DEAD_LETTERS,
    *REPLAYS,
    *TENANTS,
    *RECIPIENTS,
    *WEBHOOKS,
    *SANDBOX,
    *TEMPLATES,
    *HEALTH,
    *AUDIT_LOG,
)


def prepare(app: web.Application) -> None:
    """Create what pages keep while the application runs."""
    health.prepare(app)
