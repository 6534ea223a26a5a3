"""Asks the stages in order, with what some need beside the claim: template, count, provider."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from notistream.delivery.gates import PASSED, Passed, Stopped
from notistream.delivery.limits import RecipientLimit, within_cap
from notistream.delivery.ports import Blocked, Caps, Origin, Permit
from notistream.delivery.rendering import Renderer, Text, Unrenderable
from notistream.delivery.stages import STAGES
from notistream.delivery.unsubscribe import NO_LINKS, UnsubscribeLinks
from notistream.domain.notification import Claimed, Status
from notistream.domain.outcome import Step
from notistream.errors import DatabaseUnavailable

DATABASE_DELAY_S = 1.0
SANDBOX = "sandbox"
"""The provider of whatever was accepted with a test key."""


@dataclass(slots=True, eq=False)
class Attempt:
    """A claimed notification on its way through the stages, and what they have come to so far."""

    claimed: Claimed
    permit: Permit
    origin: Origin
    steps: list[Step] = field(default_factory=list)
    text: Text | None = None
    provider: str | None = None

    def stop(self, gate: str, status: Status, reason: str, delay_s: float | None = None) -> Stopped:
        """Note a line that ends the attempt before the call."""
        self.steps.append(Step(gate=gate, verdict=status.value, reason=reason))
        return Stopped(self.steps[-1], status, delay_s)


class Checks:
    """Takes attempts through all stages."""

    def __init__(
        self,
        *,
        renderer: Renderer,
        caps: Caps,
        recipient_limit: RecipientLimit,
        unsubscribe: UnsubscribeLinks = NO_LINKS,
    ) -> None:
        self.unsubscribe = unsubscribe
        self._renderer = renderer
        self._caps = caps
        self._recipient_limit = recipient_limit
        asked: Mapping[str, Callable[[Attempt], Awaitable[Passed | Stopped]]] = {
            "render": self._rendered,
            "frequency_cap": lambda attempt: within_cap(attempt.claimed, self._caps),
            "provider": _provider,
            "recipient_limit": lambda attempt: self._recipient_limit.check(
                attempt.claimed, attempt.origin
            ),
        }
        self._asked = {stage.name: asked[stage.name] for stage in STAGES if stage.gate is None}

    async def stopped(self, attempt: Attempt) -> Stopped | None:
        """Ask one stage after the other and note what they say, up to the first that stops it.

        None: the attempt has its text and its provider.
        """
        for stage in STAGES:
            try:
                verdict = (
                    stage.gate(attempt.claimed)
                    if stage.gate is not None
                    else await self._asked[stage.name](attempt)
                )
            except DatabaseUnavailable:
                reason = "PostgreSQL was away when it was needed"
                return attempt.stop(stage.name, Status.DEFERRED, reason, DATABASE_DELAY_S)
            if verdict is PASSED:
                continue
            if verdict.step is not None:
                attempt.steps.append(verdict.step)
            if isinstance(verdict, Stopped):
                return verdict
        return None

    async def _rendered(self, attempt: Attempt) -> Passed | Stopped:
        text = await self._renderer.text(self.unsubscribe.known_to(attempt.claimed))
        if isinstance(text, Text):
            attempt.text = text
        return rendered(text)


def rendered(text: Text | Unrenderable) -> Passed | Stopped:
    """What rendering came to, as the verdict of its stage."""
    if isinstance(text, Unrenderable):
        return Stopped(Step(gate="render", verdict="failed", reason=text.reason), Status.FAILED)
    return Passed(text.step)


async def _provider(attempt: Attempt) -> Passed | Stopped:
    """A test message needs no permit of a real provider, and gives it back unused."""
    if attempt.claimed.test:
        attempt.provider = SANDBOX
        reason = "accepted with a test key: the sandbox keeps it"
        return Passed(Step(gate="provider", verdict="sandbox", reason=reason))
    route = await attempt.permit.route(attempt.claimed.next_provider)
    if isinstance(route, Blocked):
        step = Step(gate="provider", verdict=Status.DEFERRED.value, reason=route.reason)
        return Stopped(step, Status.DEFERRED, route.for_s)
    attempt.provider = route
    return PASSED
