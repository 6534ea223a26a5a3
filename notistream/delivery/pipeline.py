"""The pipeline of one claimed notification: stages, provider call, decision, record."""

import logging
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from notistream.delivery.checks import Attempt, Checks
from notistream.delivery.conclusion import judge, not_called, rerouted
from notistream.delivery.dead_letter_limit import DeadLetterLimit
from notistream.delivery.devices import Devices
from notistream.delivery.ports import Dispatcher, Ledger, Message, Origin, Permit
from notistream.delivery.rendering import Text
from notistream.domain.notification import Claimed, Status
from notistream.domain.outcome import (
    Accepted,
    AttemptOutcome,
    Finish,
    Permanent,
    ProviderResult,
    Step,
    Temporary,
)
from notistream.observability import logs, tracing

log = logging.getLogger(__name__)
DEFECT_DELAY_S = 60.0


@dataclass(frozen=True, slots=True)
class Timing:
    """A process's monotonic clock, and what backoff is spread with: uniform in 0 … 1."""

    clock: Callable[[], float] = time.monotonic
    jitter: Callable[[], float] = random.random


class Pipeline:
    """Delivers claimed notifications; nothing here waits longer than the provider's timeout."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        dispatcher: Dispatcher,
        checks: Checks,
        dead_letter_limits: Mapping[str, DeadLetterLimit],
        count: Callable[[str, Status, Origin], None],
        timing: Timing,
    ) -> None:
        self._ledger = ledger
        self._dispatcher = dispatcher
        self._checks = checks
        self._dead_letter_limits = dead_letter_limits
        self._count = count
        self._clock = timing.clock
        self._jitter = timing.jitter
        self._devices = Devices(dispatcher, clock=timing.clock)

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
            end = await self._finished(Attempt(claimed, permit, origin))
            if span is not tracing.NOTHING:
                _describe(span, claimed, origin, end)

    async def _finished(self, attempt: Attempt) -> Finish:
        """Take an attempt to its end and record it."""
        claimed, steps = attempt.claimed, attempt.steps
        end = await self._stopped(attempt) or await self._send(attempt)
        if end.status is Status.RETRYING:
            inputs = {"delay_s": end.delay_s}
            steps.append(
                Step(gate="retry", verdict="retrying", reason=end.reason or "", inputs=inputs)
            )
        with tracing.within("record outcome", attributes=tracing.STATEMENT):
            await self._ledger.finish(claimed, replace(end, steps=tuple(steps)), attempt.origin)
        self._count(claimed.channel, end.status, attempt.origin)
        return end

    async def _stopped(self, attempt: Attempt) -> Finish | None:
        """How the attempt ends without a call; None where the provider is to be called."""
        try:
            with tracing.within("gates") as span:
                stopped = await self._checks.stopped(attempt)
                if stopped is None and self._clock() >= attempt.claimed.call_before:
                    reason = "the lease was too old to call the provider"
                    stopped = attempt.stop("provider", Status.DEFERRED, reason, 0.0)
                for step in attempt.steps:  # without their reasons, which may name a person
                    span.event(step.gate, verdict=step.verdict)
        except Exception as exc:
            log.exception("defect before the provider call")
            end = self._defect(attempt.claimed, exc)
            if end.status is Status.DEFERRED:
                attempt.stop("burial_limit", end.status, end.reason or "")
            return end
        return not_called(attempt.claimed, stopped) if stopped else None

    def _defect(self, claimed: Claimed, error: Exception) -> Finish:
        """Our own fault: retried like an outage, and only so many become dead letters."""
        result = Temporary(f"internal error: {type(error).__name__}")
        end = judge(claimed, result, jitter=self._jitter())
        limit = self._dead_letter_limits[claimed.channel]
        if end.status is not Status.FAILED or limit.take(self._clock()):
            return end
        return Finish(
            status=Status.DEFERRED,
            reason=f"{result.reason}; too many dead letters of this kind, so it waits",
            delay_s=DEFECT_DELAY_S,
            outcome=AttemptOutcome.NOT_CALLED,
            error=result.reason,
            next_provider=claimed.next_provider,
        )

    async def _send(self, attempt: Attempt) -> Finish:
        """Call the provider once, or once per device; how the attempt ends then."""
        claimed, permit = attempt.claimed, attempt.permit
        text, provider = attempt.text, attempt.provider
        assert text is not None, "the stage `render` sets it"
        assert provider is not None, "the stage `provider` sets it"
        started = self._clock()
        message = self._message(claimed, text)
        if claimed.devices:
            called = await self._devices.send(provider, message, claimed, permit)
            attempt.steps.extend(called.steps)
            result, dead = called.result, called.dead
        else:
            result = await self._dispatcher.send(provider, message)
            dead = _dead_addresses(result, message.recipient)
        if not claimed.test:
            permit.report(result)
        end = judge(claimed, result, jitter=self._jitter())
        if end.status is Status.RETRYING and not claimed.test:
            end = rerouted(end, result, provider, permit)
        return replace(
            end,
            provider=provider,
            provider_message_id=result.message_id if isinstance(result, Accepted) else None,
            duration_ms=(self._clock() - started) * 1000,
            subject=text.subject,
            content=text.content,
            dead_addresses=() if claimed.test else dead,
        )

    def _message(self, claimed: Claimed, text: Text) -> Message:
        assert claimed.recipient is not None, "the stage `address` stops what has no address"
        return Message(
            notification_id=claimed.id,
            tenant_id=claimed.tenant_id,
            channel=claimed.channel,
            recipient=claimed.recipient,
            recipient_id=claimed.recipient_id,
            subject=text.subject,
            content=text.content,
            html=text.html,
            payload=claimed.template_variables,
            headers=self._checks.unsubscribe.headers(claimed),
            idempotency_key=claimed.provider_key,
            correlation_id=claimed.correlation_id,
            traceparent=claimed.traceparent,
        )


def _dead_addresses(result: ProviderResult, recipient: str) -> tuple[str, ...]:
    return (recipient,) if isinstance(result, Permanent) and result.dead_address else ()


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
