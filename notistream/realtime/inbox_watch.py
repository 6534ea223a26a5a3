"""The inbox watch: wakes inbox streams whose events were late or lost."""

import asyncio
import logging
from collections import defaultdict
from contextlib import suppress

from notistream.db import inbox
from notistream.db.inbox import Owner
from notistream.db.pool import Database
from notistream.errors import DatabaseUnavailable
from notistream.realtime.hub import InboxWakeup

log = logging.getLogger(__name__)
WATCH_S = 3.0


class InboxWatch:
    """Compares all open streams with the database every few seconds, in one query."""

    def __init__(self, database: Database, *, every_s: float = WATCH_S) -> None:
        self._database = database
        self._every_s = every_s
        self._wakeups: defaultdict[Owner, set[InboxWakeup]] = defaultdict(set)
        self._task: asyncio.Task[None] | None = None

    def add(self, wakeup: InboxWakeup) -> None:
        """Wake this stream when its inbox has newer messages."""
        self._wakeups[wakeup.owner].add(wakeup)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._watch())

    def remove(self, wakeup: InboxWakeup) -> None:
        """Stop watching this stream."""
        wakeups = self._wakeups[wakeup.owner]
        wakeups.discard(wakeup)
        if not wakeups:
            del self._wakeups[wakeup.owner]

    async def close(self) -> None:
        """Stop looking."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _watch(self) -> None:
        while self._wakeups:
            await asyncio.sleep(self._every_s)
            try:
                await self.look()
            except DatabaseUnavailable:
                continue
            except Exception:
                log.exception("inbox watch failed; retrying")

    async def look(self) -> None:
        """Wake the streams that are behind."""
        for owner, seq in (await inbox.last_seqs(self._database, list(self._wakeups))).items():
            for wakeup in self._wakeups.get(owner, ()):
                if wakeup.seq < seq:
                    wakeup.wake()
