"""How many dead letters, other than refusals, one worker may make of one channel per time."""

from notistream.domain.rate_limit import Rate, Usage, wait_s


class DeadLetterLimit:
    """Counts dead letters in two windows; while it is used up, what would be one more waits.

    A bad deploy makes every record undecodable, or every delivery a defect: without the limit it
    would pour whole topics into the dead letters before anybody looked.
    """

    def __init__(self, rate: Rate) -> None:
        self.rate = rate
        self._window = 0
        self._current = 0
        self._previous = 0

    def take(self, now: float) -> bool:
        """Count one more; False, and nothing counted, while the limit is used up.

        `now`: seconds that only grow.
        """
        if self.wait_s(now) > 0:
            return False
        self._current += 1
        return True

    def wait_s(self, now: float) -> float:
        """Seconds until there is room for one more; 0 where there is now."""
        window = int(now // self.rate.window_s)
        if window != self._window:
            self._previous = self._current if window == self._window + 1 else 0
            self._window, self._current = window, 0
        return wait_s(self.rate, Usage(now, self._current, self._previous))
