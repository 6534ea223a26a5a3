"""Pausing and resuming: an operator holds back a channel, or one provider of it, and lets it go on."""

from collections.abc import Mapping, Sequence

from notistream.db import audit_log, pauses
from notistream.db.pauses import Pause, StoredPause
from notistream.db.pool import Database
from notistream.domain.notification import CHANNEL_NAMES, CHANNELS
from notistream.errors import NotFound

RELEASED_AT_ONCE = 5000


class Pauses:
    """What is paused; `providers` are those of each channel."""

    def __init__(self, database: Database, *, providers: Mapping[str, Sequence[str]]) -> None:
        self._database = database
        self._providers = providers
        self._obeyed: frozenset[Pause] | None = None
        self._ended: frozenset[str] = frozenset()

    def named(self, channel: str, provider: str | None) -> Pause:
        """What these names mean; raises NotFound, with the names that there are."""
        name = CHANNEL_NAMES.get(channel)
        if name is None:
            raise NotFound(f"there is no channel {channel!r}; there are {', '.join(CHANNELS)}")
        if provider is not None and provider not in self._providers[name]:
            known = ", ".join(self._providers[name])
            raise NotFound(f"{name} has no provider {provider!r}; it has {known}")
        return Pause(name, provider)

    def all(self) -> list[Pause]:
        """Whatever may be paused: each channel, and below it each of its providers."""
        return [
            Pause(channel, provider)
            for channel in CHANNELS
            for provider in (None, *self._providers[channel])
        ]

    async def current(self) -> list[StoredPause]:
        """By channel and provider."""
        return await pauses.list_all(self._database)

    async def pause(self, wanted: Pause, *, actor: str, reason: str) -> StoredPause:
        """Hold back; workers notice within about a second."""
        async with self._database.transaction() as db:
            stored = await pauses.pause(db, wanted, reason)
            await audit_log.record(db, actor, "pause", str(wanted), {"reason": stored.reason})
        return stored

    async def resume(self, paused: Pause, *, actor: str) -> int:
        """Let it go on; how many messages that were held back are due now.

        Repeating it does no harm.
        """
        async with self._database.transaction() as db:
            there = await pauses.resume(db, paused)
            await audit_log.record(db, actor, "resume", str(paused), {"was_paused": there})
        return await self._release(paused.channel)

    async def catch_up(self, paused: frozenset[Pause]) -> None:
        """Release what this worker parked before it noticed that a pause was over.

        For each time that it looks.

        Once more the next time, because a parking may be under way; and everything the first time,
        because the process before this one may have died in between.
        """
        if self._obeyed is None:
            ended = frozenset(CHANNELS) - {pause.channel for pause in paused}
        else:
            ended = frozenset(pause.channel for pause in self._obeyed - paused)
        for channel in sorted(ended | self._ended):
            await self._release(channel)
        self._obeyed, self._ended = paused, ended

    async def _release(self, channel: str) -> int:
        released = 0
        while True:
            count = await pauses.release(self._database, channel, limit=RELEASED_AT_ONCE)
            released += count
            if count < RELEASED_AT_ONCE:
                return released
