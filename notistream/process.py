"""The process around the app: how it logs, what it does once ready, and that its stop ends."""

import gc
import logging
import os
import threading
from typing import Any

from notistream.compat.faust import Worker
from notistream.observability import logs

log = logging.getLogger(__name__)

STOP_SLACK_S = 8.0
"""After half a lease, in which claimed messages may finish."""


class Process(Worker):
    """A process that runs a NotiStream app."""

    app: Any  # a NotiStream, which imports this module

    def configure_logging(self) -> None:
        """As the settings say."""
        settings = self.app.settings
        logs.configure_logging(form=settings.log_format, level=settings.log_level)

    def on_shutdown_asked(self) -> None:
        """End in time also while Kafka is away: Faust waits without limit for its answer."""
        end = threading.Timer(self.app.settings.lease_s / 2 + STOP_SLACK_S, _give_up)
        end.daemon = True
        end.start()

    def on_ready(self) -> None:
        """Say so, and keep the garbage collector from what is loaded: a look took it 75 ms."""
        gc.collect()
        gc.freeze()
        log.info("ready", extra={"role": self.app.role, "url": self.app.address})


def _give_up() -> None:
    log.error(
        "the stop took too long, Kafka may be away: this process ends now; the next process of the"
        " slot takes over what is claimed"
    )
    os._exit(1)
