"""Admission: which provider of a channel may be called now.

It is not paused, its breaker lets calls through, and its bucket has a token.
"""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from notistream.delivery.ports import Blocked
from notistream.domain.notification import Priority
from notistream.domain.outcome import ProviderResult
from notistream.observability import metrics
from notistream.providers.breaker import Breaker, BreakerState
from notistream.providers.bucket import Bucket, LeaseTokens, Token
from notistream.settings.model import Settings

log = logging.getLogger(__name__)

PAUSED_S = 3600.0
"""Messages of a pause are parked for so long; resuming makes them due at once."""
SPEND_PATIENCE_S = 1.0
TOKEN_S = 0.1
PROBE_AFTER_S = 0.001
FIRST = (*[Priority.HIGH] * 7, *[Priority.NORMAL] * 2, Priority.LOW)
"""The priority that takes tokens first in ten rounds; chosen at random.

A fixed order would fall into step with the slots of the buckets.
"""
STATE_VALUES = {BreakerState.CLOSED: 0, BreakerState.HALF_OPEN: 1, BreakerState.OPEN: 2}


@dataclass(slots=True, eq=False)
class ProviderRoute:
    """One provider of a channel, with its breaker, bucket and pause."""

    provider: str
    breaker: Breaker
    bucket: Bucket | None = None
    paused: str | None = None

    def blocked(self) -> Blocked | None:
        """Why it cannot be called now, apart from tokens."""
        if self.paused is not None:
            return Blocked("pause", self.paused, PAUSED_S)
        wait = self.breaker.blocked_s
        if wait > 0:
            reason = f"the breaker of {self.provider} is open: {self.breaker.reason}"
            return Blocked("breaker", reason, wait)
        return None


def _back_to_its_lane(blocked: Blocked) -> Blocked:
    """A claimed message does not wait for a breaker: it goes back to its lane, which waits."""
    return (
        replace(blocked, for_s=min(blocked.for_s, TOKEN_S))
        if blocked.gate == "breaker"
        else blocked
    )


@dataclass(slots=True, eq=False)
class RoutePermit:
    """Implements `delivery.ports.Permit` for one route of a channel."""

    channel: "ChannelAdmission"
    chosen: ProviderRoute
    token: Token | None
    probe: bool
    called: bool = False

    async def route(self, preferred: str | None) -> str | Blocked:
        """See `delivery.ports.Permit`."""
        target = self.chosen if self.probe else self._target(preferred)
        if isinstance(target, Blocked):
            return _back_to_its_lane(target)
        if target is not self.chosen:
            self._return_token()
            self.chosen, self.token = target, None
        if not self.probe:
            self.probe = self.channel.begin(self.chosen)
        if self.chosen.bucket is not None:
            self.token = await self.chosen.bucket.spend(self.token, patience_s=SPEND_PATIENCE_S)
            if self.token is None:
                return Blocked("bucket", f"the rate of {self.chosen.provider} is used up", TOKEN_S)
            if not self.probe and self.chosen.breaker.state is not BreakerState.CLOSED:
                return Blocked(
                    "breaker", f"the breaker of {self.chosen.provider} has just opened", TOKEN_S
                )
        return self.chosen.provider

    def _target(self, preferred: str | None) -> ProviderRoute | Blocked:
        """The preferred provider, else the admitted one, else the first that is not blocked."""
        wanted = self.channel.find(preferred) if preferred else None
        blocked: Blocked | None = None
        candidates: list[ProviderRoute] = [
            *([wanted] if wanted else []),
            self.chosen,
            *self.channel.routes,
        ]
        for route in candidates:
            stopped = route.blocked()
            if stopped is None:
                return route
            blocked = stopped if blocked is None or stopped.for_s < blocked.for_s else blocked
        assert blocked is not None, "a permit has a provider"
        return blocked

    async def another(self) -> bool:
        """See `delivery.ports.Permit`."""
        bucket = self.chosen.bucket
        return bucket is None or await bucket.spend(None, patience_s=SPEND_PATIENCE_S) is not None

    def report(self, result: ProviderResult) -> None:
        """See `delivery.ports.Permit`."""
        self.called = True
        if self.chosen.breaker.report(result, probe=self.probe):
            self.channel.breaker_changed(self.chosen)

    def failover(self) -> str | None:
        """See `delivery.ports.Permit`."""
        return self.channel.after(self.chosen)

    def close(self) -> None:
        """See `delivery.ports.Permit`."""
        if self.called:
            return
        self._return_token()
        if self.probe:
            self.chosen.breaker.give_up_probe()
            self.channel.changed()

    def _return_token(self) -> None:
        if self.chosen.bucket and self.token:
            self.chosen.bucket.give_back(self.token)


@dataclass(slots=True, eq=False)
class ChannelAdmission:
    """The routes of one channel in their order, and the lanes that wait for them."""

    name: str
    routes: Sequence[ProviderRoute] = ()
    _waiting: dict[Priority, Callable[[], None]] = field(default_factory=dict)

    def admit(self, wanted: int) -> RoutePermit | Blocked:
        """A permit for the first provider that can be called.

        A provider without tokens is waited for, not skipped.
        """
        soonest: Blocked | None = None
        for route in self.routes:
            blocked = route.blocked()
            if blocked is not None:
                soonest = blocked if soonest is None or blocked.for_s < soonest.for_s else soonest
                continue
            token = route.bucket.take(wanted) if route.bucket else None
            if route.bucket and token is None:
                return Blocked("bucket", f"the rate of {route.provider} is used up", TOKEN_S)
            return RoutePermit(self, route, token, self.begin(route))
        assert soonest is not None, "a channel has a provider"
        return soonest

    def begin(self, route: ProviderRoute) -> bool:
        """Let a call through; True if it is the probe."""
        probe = route.breaker.begin()
        if probe:
            self._show(route)
        return probe

    def lane(self, priority: Priority) -> "LaneAdmission":
        """The admission of one lane."""
        return LaneAdmission(self, priority)

    def wait(self, priority: Priority, callback: Callable[[], None]) -> None:
        """Call back at every change."""
        self._waiting[priority] = callback

    def changed(self) -> None:
        """Ask the lanes again: mostly by priority, but each comes first now and then.

        So no lane starves.
        """
        first = random.choice(FIRST)  # noqa: S311
        for priority in (first, *(p for p in Priority if p is not first)):
            if callback := self._waiting.get(priority):
                callback()

    def find(self, provider: str) -> ProviderRoute | None:
        return next((route for route in self.routes if route.provider == provider), None)

    def after(self, route: ProviderRoute) -> str | None:
        """The next provider in the list that could be called; None where there is none."""
        following = self.routes[self.routes.index(route) + 1 :]
        return next((other.provider for other in following if other.blocked() is None), None)

    def breaker_changed(self, route: ProviderRoute) -> None:
        """Log that a breaker changed, and ask the lanes again when it admits a probe."""
        state = route.breaker.state
        log.log(
            logging.INFO if state is BreakerState.CLOSED else logging.WARNING,
            "circuit breaker",
            extra={
                "channel": self.name,
                "provider": route.provider,
                "state": state.value,
                "reason": route.breaker.reason,
            },
        )
        self._show(route)
        if state is BreakerState.OPEN:
            metrics.BREAKER_OPENED.labels(self.name, route.provider).inc()
            asyncio.get_running_loop().call_later(
                route.breaker.blocked_s + PROBE_AFTER_S, self.changed
            )
        self.changed()

    def _show(self, route: ProviderRoute) -> None:
        metrics.BREAKER_STATE.labels(self.name, route.provider).set(
            STATE_VALUES[route.breaker.state]
        )


@dataclass(frozen=True, slots=True)
class LaneAdmission:
    """Implements `delivery.ports.Admitter` for one lane."""

    channel: ChannelAdmission
    priority: Priority

    def admit(self, wanted: int) -> RoutePermit | Blocked:
        """See `delivery.ports.Admitter`."""
        return self.channel.admit(wanted)

    def on_change(self, callback: Callable[[], None]) -> None:
        """See `delivery.ports.Admitter`."""
        self.channel.wait(self.priority, callback)


class Admission:
    """The admission of every channel of a worker."""

    def __init__(
        self, settings: Settings, providers: Mapping[str, Sequence[str]], lease: LeaseTokens
    ) -> None:
        self.channels = {name: ChannelAdmission(name) for name in providers}
        for name, channel in self.channels.items():
            channel.routes = [
                _route(settings, channel, provider, lease) for provider in providers[name]
            ]

    def pause(self, paused: Mapping[tuple[str, str | None], str]) -> None:
        """Hold back exactly these: reasons by channel and provider (None: the whole channel)."""
        for name, channel in self.channels.items():
            reasons = [
                paused.get((name, route.provider)) or paused.get((name, None))
                for route in channel.routes
            ]
            if reasons != [route.paused for route in channel.routes]:
                for route, reason in zip(channel.routes, reasons, strict=True):
                    route.paused = reason
                channel.changed()

    def tripped(self) -> Iterator[tuple[str, str, Breaker]]:
        """Channel, provider and breaker of every breaker that is not closed."""
        for name, channel in self.channels.items():
            for route in channel.routes:
                if route.breaker.state is not BreakerState.CLOSED:
                    yield name, route.provider, route.breaker

    def close(self) -> None:
        """Stop asking for tokens."""
        for channel in self.channels.values():
            for route in channel.routes:
                if route.bucket:
                    route.bucket.close()


def _route(
    settings: Settings, channel: ChannelAdmission, provider: str, lease: LeaseTokens
) -> ProviderRoute:
    metrics.BREAKER_STATE.labels(channel.name, provider).set(0)
    metrics.BREAKER_OPENED.labels(channel.name, provider)
    rates = settings.provider_rate_limits
    name = f"{channel.name}/{provider}"
    rate = rates.get(name, rates.get(provider, settings.rate_limit_per_channel))
    breaker = Breaker(
        clock=time.monotonic, failures=settings.breaker_failures, open_s=settings.breaker_open_s
    )
    bucket = (
        Bucket(name, rate, lease=lease, clock=time.monotonic, on_arrival=channel.changed)
        if rate
        else None
    )
    return ProviderRoute(provider, breaker, bucket)
