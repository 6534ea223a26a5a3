"""Composition root: the app with its agents, tasks and web routes.

`faust -A notistream.main worker` runs it.
"""

from typing import cast

from faust.web.drivers.aiohttp import Web

from notistream import agents, tables
from notistream.app import NotiStream
from notistream.console import routes as console
from notistream.kafka import topics
from notistream.settings.reading import load_settings
from notistream.web import routes
from notistream.web.server import reaper
from notistream.web.server.middleware import MIDDLEWARES

app = NotiStream(
    load_settings(),
    prepare_topics=lambda settings: topics.prepare(settings.kafka, topics.specs(settings)),
    prepare_tables=tables.rebuild.discard_unusable,
    web_application_options={"middlewares": MIDDLEWARES},
)
tables.declare(app)
agents.delivery.declare(app)
agents.retry.declare(app)
agents.dead_letter.declare(app)
agents.events.declare(app)
agents.maintenance.declare(app)
agents.watch.declare(app)
web = cast("Web", app.web)
routes.install(web.web_app, app.runtime, (*routes.ROUTES, *console.CONSOLE))
console.prepare(web.web_app)


async def reap_connections() -> None:
    """Close clients that never finish a request; in both roles."""
    await reaper.sweep_forever(lambda: web._runner.server.connections if web._runner.server else ())  # noqa: SLF001


app.task(reap_connections)
