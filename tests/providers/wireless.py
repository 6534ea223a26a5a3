"""Providers that send nothing over a wire: the log and the sandbox's store are their vendors."""

import logging
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import replace

from notistream.providers.api import Context, ProviderSettings
from notistream.providers.console import ConsoleProvider
from notistream.providers.contract import Subject
from notistream.providers.in_app import InAppProvider
from notistream.providers.sandbox import SandboxProvider
from tests.providers.case import SMS, Case

IN_APP = replace(SMS, channel="in_app", recipient="user-123", recipient_id="user-123")

NO_WIRE = {
    "each_error": "has no vendor",
    "retry_after": "has no vendor",
    "timeout": "waits for nothing",
    "slow_headers": "waits for nothing",
    "reset": "has no connection",
    "malformed": "gets no answer",
    "broken_answer": "gets no answer",
    "expiry": "has no credentials",
    "reuse": "has no connection",
    "secrets": "has no credentials",
}


class Kept(logging.Handler):
    """Implements `contract.Vendor`; has what was logged or kept."""

    open_connections = opened_connections = 0

    def __init__(self):
        super().__init__()
        self.keys = []
        self.accepted = Counter()

    def emit(self, record):
        self._note(record.notification_id)

    async def keep(self, message, outcome):
        assert outcome == "delivered"
        self._note(message.idempotency_key)

    async def inbox(self, message):
        self._note(message.idempotency_key)
        return message.notification_id

    def _note(self, key):
        self.keys.append(key)
        self.accepted[key] += 1

    def play(self, *faults):
        raise AssertionError("nothing can fail here")


@asynccontextmanager
async def console():
    kept, log = Kept(), logging.getLogger("notistream.providers.console")
    level = log.level
    log.setLevel(logging.INFO)
    log.addHandler(kept)
    yield Subject(
        provider=ConsoleProvider(ProviderSettings(), Context()),
        vendor=kept,
        message=SMS,
        refusals=[],
    )
    log.removeHandler(kept)
    log.setLevel(level)


@asynccontextmanager
async def sandbox():
    kept = Kept()
    yield Subject(
        provider=SandboxProvider(ProviderSettings(), Context(keep=kept.keep)),
        vendor=kept,
        message=SMS,
        refusals=[],
    )


@asynccontextmanager
async def in_app():
    kept = Kept()
    yield Subject(
        provider=InAppProvider(ProviderSettings(), Context(inbox=kept.inbox)),
        vendor=kept,
        message=IN_APP,
        refusals=[],
    )


CONSOLE = Case(console, NO_WIRE)
SANDBOX = Case(sandbox, NO_WIRE)
IN_APP_CASE = Case(in_app, NO_WIRE)
