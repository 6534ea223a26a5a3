"""The pipeline of one claimed notification, top to bottom: gates, render, limits, provider, decide, record."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from notistream.delivery.dead_letter_limit import DeadLetterLimit
from notistream.delivery.devices import Devices
from notistream.delivery.gates import Gate, Passed, Stopped
from notistream.delivery.limits import RecipientLimit, within_cap
from notistream.delivery.ports import Blocked, Caps, Dispatcher, Ledger, Message, Origin, Permit
from notistream.delivery.rendering import Renderer, Text, Unrenderable
from notistream.delivery.unsubscribe import NO_LINKS, UnsubscribeLinks
from notistream.domain import retry
from notistream.domain.notification import Claimed, Status
from notistream.domain.outcome import (
    Accepted,
    Ambiguous,
    AttemptOutcome,
    Finish,
    Permanent,
    ProviderResult,
    Step,
    Temporary,
)
from notistream.errors import DatabaseUnavailable
from notistream.observability import logs, tracing

log = logging.getLogger(__name__)
DEFECT_DELAY_S = 60.0
DATABASE_DELAY_S = 1.0
SANDBOX = "sandbox"
"""The provider of whatever was accepted with a test key."""


class Pipeline:
    """Delivers claimed notifications; nothing here waits longer than the provider's timeout."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        renderer: Renderer,
        sender: Dispatcher,
        gates: Sequence[Gate],
        caps: Caps,
        recipient_limit: RecipientLimit,
        dead_letter_limits: Mapping[str, DeadLetterLimit],
        count: Callable[[str, Status, Origin], None],
        jitter: Callable[[], float],
        clock: Callable[[], float],
        unsubscribe: UnsubscribeLinks = NO_LINKS,
    ) -> None:
        self._ledger = ledger
        self._renderer = renderer
        self._sender = sender
        self._gates = gates
        self._caps = caps
        self._recipient_limit = recipient_limit
        self._burials = dead_letter_limits
        self._count = count
        self._jitter = jitter
        self._clock = clock
        self._unsubscribe = unsubscribe
        self._devices = Devices(sender, clock=clock)

    async def deliver(self, claimed: Claimed, permit: Permit, origin: Origin) -> None:
        """Take a claimed notification to the end of this attempt, and record it."""
        logs.bind(
            notification_id=claimed.id,
            tenant_id=claimed.tenant_id,
            correlation_id=claimed.correlation_id,
        )
        span = tracing.below(
            origin.traceparent,
            f"deliver {claimed.channel}",
            kind=tracing.CONSUMER,
            since_ns=origin.since_ns,
        )
        with span:
            end = await self._attempt(claimed, permit, origin)
            if span is not tracing.NOTHING:
                _describe(span, claimed, origin, end)

    async def _attempt(self, claimed: Claimed, permit: Permit, origin: Origin) -> Finish:
        steps: list[Step] = []
        try:
            with tracing.within("gates") as span:
                ready = await self._prepared(claimed, permit, origin, steps)
                for step in (
                    steps
                ):  # their reasons may name somebody: they are in the trace that the API shows
                    span.event(step.gate, verdict=step.verdict)
        except Exception as exc:
            log.exception("defect before the provider call")
            end = self._defect(claimed, exc)
            if end.status is Status.DEFERRED:
                steps.append(Step(gate="burial_limit", verdict="deferred", reason=end.reason or ""))
        else:
            end = (
                ready
                if isinstance(ready, Finish)
                else await self._send(claimed, permit, steps, *ready)
            )
        if end.status is Status.RETRYING:
            steps.append(
                Step(
                    gate="retry",
                    verdict="retrying",
                    reason=end.reason or "",
                    inputs={"delay_s": end.delay_s},
                )
            )
        with tracing.within("record outcome", attributes=tracing.STATEMENT):
            await self._ledger.finish(claimed, replace(end, steps=tuple(steps)), origin)
        self._count(claimed.channel, end.status, origin)
        return end

    async def _prepared(
        self, claimed: Claimed, permit: Permit, origin: Origin, steps: list[Step]
    ) -> Finish | tuple[Text, str]:
        """The text and the provider to send it with, or how the attempt ends without a call."""
        for gate in self._gates:
            if stopped := _noted(gate(claimed), steps):
                return _not_called(claimed, stopped)
        text = await self._text(claimed, steps)
        if isinstance(text, Stopped):
            return _not_called(claimed, text)
        route = await _route(claimed, permit, steps)
        if isinstance(route, Blocked):
            return _not_called(
                claimed, _stop(steps, "provider", Status.DEFERRED, route.reason, route.for_s)
            )
        if stopped := _noted(
            await self._recipient_limit.check(claimed, origin), steps
        ):  # last: it counts a call
            return _not_called(claimed, stopped)
        if self._clock() >= claimed.call_before:
            reason = "the lease was too old to call the provider"
            return _not_called(claimed, _stop(steps, "provider", Status.DEFERRED, reason, 0.0))
        return text, route

    async def _text(self, claimed: Claimed, steps: list[Step]) -> Text | Stopped:
        """The rendered text, within the recipient's cap, or what stops it."""
        gate = "render"
        try:
            text = await self._renderer.text(self._unsubscribe.known_to(claimed))
            if isinstance(text, Unrenderable):
                return _stop(steps, gate, Status.FAILED, text.reason)
            if text.step:
                steps.append(text.step)
            gate = "frequency_cap"
            return _noted(await within_cap(claimed, self._caps), steps) or text
        except DatabaseUnavailable:
            reason = "PostgreSQL was away when it was needed"
            return _stop(steps, gate, Status.DEFERRED, reason, DATABASE_DELAY_S)

    def _defect(self, claimed: Claimed, error: Exception) -> Finish:
        """Our own fault: tried again like an outage, and not all of a topic may end as dead letters of it."""
        result = Temporary(f"internal error: {type(error).__name__}")
        end = self.judge(claimed, result)
        if end.status is Status.FAILED and not self._burials[claimed.channel].take(self._clock()):
            reason = f"{result.reason}; too many dead letters of this kind, so it waits"
            return Finish(
                status=Status.DEFERRED,
                reason=reason,
                delay_s=DEFECT_DELAY_S,
                outcome=AttemptOutcome.NOT_CALLED,
                error=result.reason,
                next_provider=claimed.next_provider,
            )
        return end

    async def _send(
        self, claimed: Claimed, permit: Permit, steps: list[Step], text: Text, provider: str
    ) -> Finish:
        assert claimed.recipient is not None, "the address gate stops what has no address"
        started = self._clock()
        message = Message(
            notification_id=claimed.id,
            tenant_id=claimed.tenant_id,
            channel=claimed.channel,
            recipient=claimed.recipient,
            recipient_id=claimed.recipient_id,
            subject=text.subject,
            content=text.content,
            html=text.html,
            payload=claimed.template_variables,
            headers=self._unsubscribe.headers(claimed),
            idempotency_key=claimed.provider_key,
            correlation_id=claimed.correlation_id,
            traceparent=claimed.traceparent,
        )
        if claimed.devices:
            called = await self._devices.send(provider, message, claimed, permit)
            steps.extend(called.steps)
            result, dead = called.result, called.dead
        else:
            result = await self._sender.send(provider, message)
            dead = (
                (claimed.recipient,)
                if isinstance(result, Permanent) and result.dead_address
                else ()
            )
        if not claimed.test:
            permit.report(result)
        end = self.judge(claimed, result)
        if end.status is Status.RETRYING and not claimed.test:
            end = _rerouted(end, result, provider, permit)
        return replace(
            end,
            provider=provider,
            provider_message_id=result.message_id if isinstance(result, Accepted) else None,
            duration_ms=(self._clock() - started) * 1000,
            subject=text.subject,
            content=text.content,
            dead_addresses=() if claimed.test else dead,
        )

    def judge(self, claimed: Claimed, result: ProviderResult) -> Finish:
        """What a provider's answer means for the notification."""
        if isinstance(result, Accepted):
            return Finish(status=Status.DELIVERED, outcome=AttemptOutcome.DELIVERED)
        decision = retry.decide(
            result,
            priority=claimed.priority,
            attempts=claimed.attempts,
            on_unknown=claimed.on_unknown,
            jitter=self._jitter(),
        )
        return conclude(decision, outcome_of(result), error=result.reason)


def _describe(span: tracing.Spanning, claimed: Claimed, origin: Origin, end: Finish) -> None:
    span.note(
        notification_id=str(claimed.id),
        tenant_id=str(claimed.tenant_id),
        channel=claimed.channel,
        priority=claimed.priority.value,
        attempt=claimed.attempts,
        chain=claimed.chain,
        topic=origin.topic,
        partition=origin.partition,
        offset=origin.offset,
        status=end.status.value,
        outcome=end.outcome.value,
        provider=end.provider,
    )
    if end.status is Status.FAILED:
        span.failed(end.outcome.value)


async def _route(claimed: Claimed, permit: Permit, steps: list[Step]) -> str | Blocked:
    """The provider to call; a test message needs no permit of a real one, and gives it back unused."""
    if not claimed.test:
        return await permit.route(claimed.next_provider)
    steps.append(
        Step(
            gate="provider",
            verdict="sandbox",
            reason="accepted with a test key: the sandbox keeps it",
        )
    )
    return SANDBOX


def _stop(
    steps: list[Step], gate: str, status: Status, reason: str, delay_s: float | None = None
) -> Stopped:
    steps.append(Step(gate=gate, verdict=status.value, reason=reason))
    return Stopped(steps[-1], status, delay_s)


def _noted(verdict: Passed | Stopped, steps: list[Step]) -> Stopped | None:
    if verdict.step is not None:
        steps.append(verdict.step)
    return verdict if isinstance(verdict, Stopped) else None


def _not_called(claimed: Claimed, stopped: Stopped) -> Finish:
    """No provider was called: no attempt is used."""
    return Finish(
        status=stopped.status,
        reason=stopped.step.reason,
        delay_s=stopped.delay_s,
        outcome=AttemptOutcome.NOT_CALLED,
        error=stopped.step.reason if stopped.status is Status.FAILED else None,
        next_provider=claimed.next_provider,
    )


def _rerouted(end: Finish, result: ProviderResult, provider: str, permit: Permit) -> Finish:
    """A temporary failure goes to the next provider, due now.

    An unknown outcome stays where its key is known.
    """
    if not isinstance(result, Temporary):
        return replace(end, next_provider=provider)
    following = permit.failover()
    if following is None:
        return end
    return replace(
        end, delay_s=0.0, next_provider=following, reason=f"{end.reason}; {following} is next"
    )


def outcome_of(result: Temporary | Permanent | Ambiguous) -> AttemptOutcome:
    match result:
        case Temporary():
            return AttemptOutcome.TEMPORARY
        case Permanent():
            return AttemptOutcome.PERMANENT
        case Ambiguous():
            return AttemptOutcome.UNKNOWN


def conclude(decision: retry.RetryDecision, outcome: AttemptOutcome, *, error: str) -> Finish:
    """The finish that a retry decision asks for."""
    match decision:
        case retry.Retry(delay_s, reason):
            return Finish(
                status=Status.RETRYING, reason=reason, delay_s=delay_s, outcome=outcome, error=error
            )
        case retry.GiveUp(reason):
            return Finish(status=Status.FAILED, reason=reason, outcome=outcome, error=error)
        case retry.Hold(reason):
            return Finish(status=Status.UNKNOWN, reason=reason, outcome=outcome, error=error)
