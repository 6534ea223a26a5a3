"""Composition root: the app with its agents, tasks and web routes. `faust -A notistream.main worker` runs it."""

import agents
from notistream.app import NotiStream
from notistream.config import load_settings
from notistream.web import routes
from notistream.web.middleware import MIDDLEWARES

app = NotiStream(load_settings(), web_application_options={"middlewares": MIDDLEWARES})
agents.delivery.declare(app)
agents.retry.declare(app)
agents.maintenance.declare(app)
routes.install(app.web.web_app, app.runtime)
