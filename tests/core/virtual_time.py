"""An event loop whose clock moves when nothing else is left to do: waits cost no time, and are
exact.
"""

import asyncio
import functools
import random

ROUND_S = 1e-6
"""What one round of the loop takes on this clock.

With nothing, a wait of a rounding error would never end.
"""


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Starts at 1000.0; where everything waits for nothing, it says so instead of hanging."""

    def __init__(self):
        super().__init__()
        self._now = 1000.0
        self.at_end = []
        self._real_select = self._selector.select
        self._selector.select = self._select

    def time(self):
        return self._now

    def _select(self, timeout):
        ready = self._real_select(0)
        if not ready:
            assert timeout is not None, "everything waits, and nothing will happen"
            self._now += timeout
        self._now += ROUND_S
        return ready


def virtual_time(test):
    """Run an async test on its own loop with a virtual clock; chance repeats itself."""

    async def whole(*args, **kwargs):
        try:
            await test(*args, **kwargs)
        finally:
            for callback in asyncio.get_running_loop().at_end:
                callback()

    @functools.wraps(test)
    def run(*args, **kwargs):
        random.seed(0)
        with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
            runner.run(whole(*args, **kwargs))

    return run


def at_end(callback):
    """Call back when the test is over, before what still runs is cancelled."""
    asyncio.get_running_loop().at_end.append(callback)


def now():
    return asyncio.get_running_loop().time()
