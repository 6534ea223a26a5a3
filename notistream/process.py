"""The process around the app: how it logs, what it does when it is ready, and that its end comes in time."""

import gc
import logging
import os
import threading
from signal import Signals
from typing import Any

import faust

from notistream.observability import logs

log = logging.getLogger(__name__)

STOP_SLACK_S = 8.0
"""After half a lease, in which claimed messages may finish."""


class Process(faust.Worker):
    """A worker process that logs our way."""

    app: Any  # a NotiStream, which is built on this

    def _setup_logging(self) -> None:
        settings = self.app.settings
        logs.configure_logging(form=settings.log_format, level=settings.log_level)

    def _schedule_shutdown(self, signal: Signals) -> None:
        """End in time also where Kafka is away, for whose word on leaving the group Faust waits without end."""
        end = threading.Timer(self.app.settings.lease_s / 2 + STOP_SLACK_S, _give_up)
        end.daemon = True
        end.start()
        super()._schedule_shutdown(signal)

    def _on_startup_end_spinner(self) -> None:
        gc.collect()
        gc.freeze()  # what is loaded now stays: to look through it took 75 ms, in which nobody was served
        log.info(
            "ready",
            extra={"role": "api" if self.app.api_only else "worker", "url": self.app.address},
        )


def _give_up() -> None:
    log.error(
        "the stop took too long, Kafka may be away: ended; the slot's next process takes over what"
        " is claimed"
    )
    os._exit(1)
