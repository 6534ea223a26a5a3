"""The pipeline of one claimed notification, top to bottom: gates, render, provider, decide, record."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from notistream.delivery.gates import Gate, Passed, Stopped
from notistream.delivery.ports import Ledger, Message, Sender, TemplateSources
from notistream.domain import retry
from notistream.domain.notification import Claimed, Status
from notistream.domain.outcome import (
    Ambiguous,
    AttemptOutcome,
    Finish,
    Permanent,
    ProviderResult,
    Receipt,
    Step,
    Temporary,
)
from notistream.domain.template import InvalidTemplateError, RenderError, render
from notistream.domain.validation import length_error
from notistream.errors import DatabaseUnavailable

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Text:
    """The rendered message, and how it came about."""

    subject: str | None
    content: str
    step: Step | None = None


@dataclass(frozen=True, slots=True)
class Unrenderable:
    """There is no text to send."""

    reason: str


class Pipeline:
    """Delivers claimed notifications; nothing here waits longer than the provider's timeout."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        sources: TemplateSources,
        sender: Sender,
        gates: Sequence[Gate],
        limits: Callable[[str], int],
        jitter: Callable[[], float],
        clock: Callable[[], float],
    ) -> None:
        self._ledger = ledger
        self._sources = sources
        self._sender = sender
        self._gates = gates
        self._limits = limits
        self._jitter = jitter
        self._clock = clock

    async def deliver(self, claimed: Claimed) -> None:
        """Take a claimed notification to the end of this attempt, and record it."""
        await self._ledger.finish(claimed, await self._attempt(claimed))

    async def _attempt(self, claimed: Claimed) -> Finish:
        steps: list[Step] = []
        for gate in self._gates:
            match gate(claimed):
                case Passed():
                    continue
                case Stopped(step, status, delay_s):
                    return Finish(
                        status=status, reason=step.reason, delay_s=delay_s, outcome=AttemptOutcome.NOT_CALLED,
                        steps=(*steps, step),
                    )
        try:
            text = await self._render(claimed)
        except DatabaseUnavailable:
            return Finish(
                status=Status.DEFERRED, reason="PostgreSQL was away when the template was needed", delay_s=1.0,
                outcome=AttemptOutcome.NOT_CALLED, steps=tuple(steps),
            )
        if isinstance(text, Unrenderable):
            step = Step(gate="render", verdict="failed", reason=text.reason)
            return Finish(
                status=Status.FAILED, reason=text.reason, outcome=AttemptOutcome.NOT_CALLED, error=text.reason,
                steps=(*steps, step),
            )
        if text.step:
            steps.append(text.step)
        return await self._send(claimed, text, tuple(steps))

    async def _render(self, claimed: Claimed) -> Text | Unrenderable:
        text = await self._text(claimed)
        if isinstance(text, Text) and (error := length_error(text.content, self._limits(claimed.channel))):
            return Unrenderable(f"the rendered text {error}")
        return text

    async def _text(self, claimed: Claimed) -> Text | Unrenderable:
        if claimed.template_id is None:
            return Text(claimed.subject, claimed.content or "")
        try:
            subject, body = await self._source(claimed)
            shown = claimed.subject or (render(subject, claimed.template_variables) if subject else None)
            return Text(shown, render(body, claimed.template_variables))
        except (RenderError, InvalidTemplateError) as exc:
            reason = f"rendering failed: {exc}"
            if not claimed.content:
                return Unrenderable(reason)
            return Text(claimed.subject, claimed.content, Step(
                gate="render", verdict="fallback", reason=f"{reason}; `content` is sent instead"))

    async def _source(self, claimed: Claimed) -> tuple[str | None, str]:
        source = await self._sources.source(claimed)
        if source is None:
            raise RenderError("the template version is gone")
        return source

    async def _send(self, claimed: Claimed, text: Text, steps: tuple[Step, ...]) -> Finish:
        assert claimed.recipient is not None, "the address gate stops what has no address"
        started = self._clock()
        if started >= claimed.call_before:
            return Finish(
                status=Status.DEFERRED, reason="the lease was too old to call the provider", delay_s=0,
                outcome=AttemptOutcome.NOT_CALLED, steps=steps,
            )
        provider, result = await self._sender.send(Message(
            notification_id=claimed.id, channel=claimed.channel, recipient=claimed.recipient, subject=text.subject,
            content=text.content, idempotency_key=claimed.provider_key, correlation_id=claimed.correlation_id,
            traceparent=claimed.traceparent,
        ))
        end = self.judge(claimed, result)
        return Finish(
            status=end.status, reason=end.reason, delay_s=end.delay_s, outcome=end.outcome, error=end.error,
            provider=provider, provider_message_id=result.message_id if isinstance(result, Receipt) else None,
            duration_ms=(self._clock() - started) * 1000, subject=text.subject, content=text.content, steps=steps,
        )

    def judge(self, claimed: Claimed, result: ProviderResult) -> Finish:
        """What a provider's answer means for the notification."""
        if isinstance(result, Receipt):
            return Finish(status=Status.DELIVERED, outcome=AttemptOutcome.DELIVERED)
        decision = retry.decide(
            result, priority=claimed.priority, attempts=claimed.attempts, on_unknown=claimed.on_unknown,
            jitter=self._jitter(),
        )
        return conclude(decision, outcome_of(result), error=result.reason)


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
            return Finish(status=Status.RETRYING, reason=reason, delay_s=delay_s, outcome=outcome, error=error)
        case retry.GiveUp(reason):
            return Finish(status=Status.FAILED, reason=reason, outcome=outcome, error=error)
        case retry.Hold(reason):
            return Finish(status=Status.UNKNOWN, reason=reason, outcome=outcome, error=error)
