"""Readiness: whether what this process needs is there, each dependency on its own."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping

HEALTHY = "healthy"
CACHED_S = 0.5


class Readiness:
    """Runs all checks side by side; answers are kept for half a second."""

    def __init__(self, checks: Mapping[str, Callable[[], Awaitable[None]]]) -> None:
        self._checks = dict(checks)
        self._last: tuple[float, Mapping[str, str]] | None = None

    def require(self, name: str, check: Callable[[], Awaitable[None]]) -> None:
        """Add a dependency; `check` raises, in words, while it is missing."""
        self._checks[name] = check

    async def checks(self) -> Mapping[str, str]:
        """`healthy`, or what is wrong in words, for each dependency."""
        if self._last and self._last[0] > time.monotonic():
            return self._last[1]
        results = await asyncio.gather(*(self._one(check) for check in self._checks.values()))
        answer = dict(zip(self._checks, results, strict=True))
        self._last = (time.monotonic() + CACHED_S, answer)
        return answer

    async def _one(self, check: Callable[[], Awaitable[None]]) -> str:
        try:
            async with asyncio.timeout(3):
                await check()
        except Exception as exc:  # noqa: BLE001 - whatever the reason, it is the answer
            return f"unreachable: {str(exc) or type(exc).__name__}"
        return HEALTHY
