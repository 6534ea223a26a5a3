"""The control loop of a worker: it applies the operators' pauses and reports tripped breakers."""

from collections.abc import Awaitable, Callable, Collection, Sequence

from notistream.db.breakers import OpenBreaker
from notistream.db.pauses import Pause
from notistream.domain.notification import CHANNELS
from notistream.operating.pauses import Pauses
from notistream.providers.admission import Admission

ReportBreakers = Callable[[Sequence[OpenBreaker]], Awaitable[None]]
"""Replace what is stored of this worker's breakers."""


class ControlLoop:
    """Call `step` about once a second."""

    def __init__(self, admission: Admission, pauses: Pauses, *, report: ReportBreakers) -> None:
        self._admission = admission
        self._pauses = pauses
        self._report = report
        self._applied: frozenset[Pause] | None = None
        self._ended: frozenset[str] = frozenset()
        # A former process of this slot may have left a report.
        self._reported = True

    async def step(self) -> None:
        """Apply the pauses of this moment, then report the breakers.

        Raises:
            DatabaseUnavailable: PostgreSQL is away; the next step makes up for it.
        """
        paused = frozenset(stored.pause for stored in await self._pauses.current())
        self._admission.pause(
            {(pause.channel, pause.provider): f"paused: {pause}" for pause in paused}
        )
        await self._release_ended(paused)
        await self._report_breakers()

    async def _release_ended(self, paused: frozenset[Pause]) -> None:
        """Release what this worker parked before it noticed that a pause had ended.

        Each channel is released twice, because a message may have been on its way to be parked
        at the first time. The first step releases all channels: the process before this one may
        have died before it released.
        """
        if self._applied is None:
            ended = frozenset(CHANNELS) - _channels(paused)
        else:
            ended = _channels(self._applied - paused)
        for channel in sorted(ended | self._ended):
            await self._pauses.release(channel)
        self._applied, self._ended = paused, ended

    async def _report_breakers(self) -> None:
        """Report again after the last breaker has closed, so that nothing stale stays."""
        found = [
            OpenBreaker(channel, provider, breaker.state.value, breaker.reason, breaker.blocked_s)
            for channel, provider, breaker in self._admission.tripped()
        ]
        if found or self._reported:
            await self._report(found)
        self._reported = bool(found)


def _channels(paused: Collection[Pause]) -> frozenset[str]:
    return frozenset(pause.channel for pause in paused)
