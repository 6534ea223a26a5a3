"""Composition root: `create_app` builds a process; `faust -A notistream.main worker` runs `app`."""

from typing import cast

from faust.web.drivers.aiohttp import Web

from notistream import agents, tables
from notistream.app import NotiStream
from notistream.compat import faust
from notistream.console import routes as console
from notistream.kafka import topics
from notistream.runtime import Role, Runtime
from notistream.settings.model import Settings
from notistream.settings.reading import load_settings
from notistream.web import routes
from notistream.web.server import reaper


def create_app(settings: Settings, role: Role) -> NotiStream:
    """The whole process in one of its roles, ready to be run.

    Raises:
        Misconfigured: a setting that this process needs is missing or wrong.
    """
    runtime = Runtime(settings, role)
    app = NotiStream(
        runtime,
        preparations=(_prepare_topics, tables.rebuild.discard_unusable),
        web_application_options={"middlewares": routes.MIDDLEWARES},
    )
    if role == "worker":
        counters = tables.declare(app)
        app.lanes |= runtime.lanes(counters.usage, counters.count)
        app.show_lanes()
        agents.declare(app)
    agents.watch.declare(app)
    web = cast("Web", app.web)
    routes.install(web.web_app, runtime, (*routes.ROUTES, *console.CONSOLE))
    console.prepare(web.web_app)

    async def reap_connections() -> None:
        """Close clients that never finish a request; in both roles."""
        await reaper.sweep_forever(lambda: faust.connections(web))

    app.task(reap_connections)
    return app


async def _prepare_topics(app: NotiStream) -> None:
    app.partitions = await topics.prepare(app.settings.kafka, app.settings)


def __getattr__(name: str) -> NotiStream:
    """`app`, a worker, once somebody asks for it: Faust's command line does, our own does not."""
    if name != "app":
        raise AttributeError(name)
    app = globals()["app"] = create_app(load_settings(), "worker")
    return app
