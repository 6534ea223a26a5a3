"""Pauses: an operator holds back a channel, or one of its providers, and resumes it."""

from collections.abc import Mapping, Sequence

from notistream.db import audit_log, pauses
from notistream.db.pauses import Pause, StoredPause
from notistream.db.pool import Database
from notistream.domain.notification import CHANNEL_NAMES, CHANNELS
from notistream.errors import NotFound

RELEASED_AT_ONCE = 5000


class Pauses:
    """Sets and ends pauses; `providers` names those of each channel."""

    def __init__(self, database: Database, *, providers: Mapping[str, Sequence[str]]) -> None:
        self._database = database
        self._providers = providers

    def named(self, channel: str, provider: str | None) -> Pause:
        """The pause that these names mean.

        Raises:
            NotFound: no such channel or provider; the message lists those that exist.
        """
        name = CHANNEL_NAMES.get(channel)
        if name is None:
            raise NotFound(f"there is no channel {channel!r}; there are {', '.join(CHANNELS)}")
        if provider is not None and provider not in self._providers[name]:
            known = ", ".join(self._providers[name])
            raise NotFound(f"{name} has no provider {provider!r}; it has {known}")
        return Pause(name, provider)

    def all(self) -> list[Pause]:
        """Everything that can be paused: each channel, followed by each of its providers."""
        return [
            Pause(channel, provider)
            for channel in CHANNELS
            for provider in (None, *self._providers[channel])
        ]

    async def current(self) -> list[StoredPause]:
        """The pauses in force, by channel and provider."""
        return await pauses.list_all(self._database)

    async def pause(self, wanted: Pause, *, actor: str, reason: str) -> StoredPause:
        """Hold back its messages; workers notice within about a second."""
        async with self._database.transaction() as db:
            stored = await pauses.pause(db, wanted, reason)
            await audit_log.record(db, actor, "pause", str(wanted), {"reason": stored.reason})
        return stored

    async def resume(self, paused: Pause, *, actor: str) -> int:
        """End a pause; the number of held messages that are due now. May be repeated."""
        async with self._database.transaction() as db:
            existed = await pauses.resume(db, paused)
            await audit_log.record(db, actor, "resume", str(paused), {"was_paused": existed})
        return await self.release(paused.channel)

    async def release(self, channel: str) -> int:
        """Make due what ended pauses of a channel still hold back; the number of messages."""
        released = 0
        while True:
            count = await pauses.release(self._database, channel, limit=RELEASED_AT_ONCE)
            released += count
            if count < RELEASED_AT_ONCE:
                return released
