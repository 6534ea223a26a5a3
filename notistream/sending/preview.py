"""Previews: what would become of a draft and why. All stages are asked; nothing is sent."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from enum import StrEnum

from uuid_utils.compat import uuid7

from notistream.db import preview
from notistream.db.pool import Database, Queryable
from notistream.db.preview import BlockedProvider, Facts
from notistream.db.records import StoredNotification
from notistream.delivery.checks import SANDBOX, rendered
from notistream.delivery.gates import PASSED, Passed, Stopped
from notistream.delivery.limits import within_cap
from notistream.delivery.ports import CapUse
from notistream.delivery.rendering import Renderer, Text, Unrenderable
from notistream.delivery.stages import STAGES
from notistream.delivery.unsubscribe import NO_LINKS, UnsubscribeLinks
from notistream.domain.draft import Draft
from notistream.domain.notification import (
    Claimed,
    NewNotification,
    Notification,
    Status,
)
from notistream.domain.outcome import Step
from notistream.domain.preference import FrequencyCap
from notistream.domain.rate_limit import Rate
from notistream.domain.sms import Segments, segments
from notistream.errors import FieldError, InvalidRequest
from notistream.sending.acceptance import Caller


class Would(StrEnum):
    """What a create would come to; `wait` is for a moment that was asked for."""

    SEND = "send"
    DEFER = "defer"
    SUPPRESS = "suppress"
    EXPIRE = "expire"
    FAIL = "fail"
    WAIT = "wait"


STOPS: Mapping[Status, Would] = {
    Status.DEFERRED: Would.DEFER,
    Status.SUPPRESSED: Would.SUPPRESS,
    Status.EXPIRED: Would.EXPIRE,
    Status.FAILED: Would.FAIL,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What would happen and why, when it is next eligible, and what each stage says, in order."""

    would: Would
    reason: str
    next_eligible_at: datetime | None
    subject: str | None
    content: str | None
    html: str | None = None
    segments: Segments | None = None
    """Of an SMS."""
    provider: str | None
    steps: Sequence[Step]


class Previews:
    """Asks the stages of delivery.

    `check` is what a create does first, `providers` are those of each channel.
    """

    def __init__(
        self,
        database: Database,
        *,
        check: Callable[[Draft, Caller], Awaitable[NewNotification]],
        renderer: Renderer,
        providers: Mapping[str, Sequence[str]],
        recipient_rate: Rate,
        unsubscribe: UnsubscribeLinks = NO_LINKS,
    ) -> None:
        self._database = database
        self._check = check
        self._renderer = renderer
        self._providers = providers
        self._unsubscribe = unsubscribe
        self._recipient_rate = recipient_rate

    async def preview(self, draft: Draft, caller: Caller) -> Preview:
        """As of now, or of the moment for which it is scheduled.

        Raises:
            InvalidRequest: a create would be refused.
        """
        return await self._judged(await self._check(draft, caller))

    async def resend(self, stored: StoredNotification) -> Preview:
        """What a resend would come to now, with the template version of the acceptance."""
        return await self._judged(_again(stored))

    async def text(self, stored: StoredNotification) -> Text | Unrenderable:
        """Its text as delivery would render it now, in the recipient's present language."""
        new = _again(stored)
        facts = await preview.facts(self._database.of(new.tenant_id), new)
        return await self._renderer.text(self._unsubscribe.known_to(_claimed(new, facts)))

    async def _judged(self, new: Notification) -> Preview:
        facts = await preview.facts(self._database.of(new.tenant_id), new)
        claimed = _claimed(new, facts)
        text = await self._renderer.text(self._unsubscribe.known_to(claimed))
        provider, route = await self._route(claimed)
        verdicts = _verdicts(
            claimed,
            {
                "render": rendered(text),
                "frequency_cap": await within_cap(claimed, _Peek(self._database.of(new.tenant_id))),
                "provider": route,
                "recipient_limit": self._recipient_limit(),
            },
        )
        stopped = next((verdict for verdict in verdicts if isinstance(verdict, Stopped)), None)
        would, reason, next_eligible_at = _outcome(new, facts, stopped)
        made = text if isinstance(text, Text) else None
        return Preview(
            would=would,
            reason=reason,
            next_eligible_at=next_eligible_at,
            subject=made.subject if made else None,
            content=made.content if made else None,
            provider=provider,
            html=made.html if made else None,
            segments=segments(made.content) if made and claimed.channel == "sms" else None,
            steps=[
                verdict.step or stage.silent
                for stage, verdict in zip(STAGES, verdicts, strict=True)
            ],
        )

    async def _route(self, claimed: Claimed) -> tuple[str | None, Passed | Stopped]:
        """The provider that would be called, and the verdict of its stage."""
        if claimed.test:
            reason = "a test key: the sandbox would keep it"
            return SANDBOX, Passed(Step(gate="provider", verdict="sandbox", reason=reason))
        return _route(
            self._providers[claimed.channel],
            await preview.blocked_providers(self._database, claimed.channel, at=claimed.claimed_at),
        )

    def _recipient_limit(self) -> Passed:
        if not self._recipient_rate.count:
            return PASSED
        return Passed(
            Step(
                gate="recipient_limit",
                verdict="judged at delivery",
                reason="the worker of the recipient keeps this count",
                inputs={"limit": str(self._recipient_rate)},
            )
        )


@dataclass(frozen=True, slots=True)
class _Peek:
    """Implements `delivery.ports.Caps` without counting."""

    db: Queryable

    async def take(self, claimed: Claimed, cap: FrequencyCap) -> CapUse:
        assert claimed.recipient_id is not None, "a cap is a stored recipient's"
        return await preview.cap_use(
            self.db,
            claimed.tenant_id,
            claimed.recipient_id,
            claimed.channel,
            cap,
            at=claimed.claimed_at,
        )


CARRIED = [f.name for f in fields(Claimed) if f.name in {f.name for f in fields(Notification)}]


def _claimed(new: Notification, facts: Facts) -> Claimed:
    """As if a worker had claimed it at that moment."""
    return Claimed(
        **{
            **{name: getattr(new, name) for name in CARRIED},
            "recipient": facts.contact,
            "locale": facts.locale,
        },
        traceparent=None,
        chain=1,
        attempts=1,
        lease_token=uuid7(),
        claimed_at=facts.at,
        timezone=facts.timezone,
        preferences=facts.preferences,
        preferences_fault=facts.preferences_fault,
        suppressed=facts.suppressed,
    )


def _again(stored: StoredNotification) -> StoredNotification:
    """As sending again takes it: due now, and without an expiry that has passed."""
    expired = stored.expires_at is not None and stored.expires_at <= datetime.now(UTC)
    return replace(stored, scheduled_at=None, expires_at=None if expired else stored.expires_at)


def _verdicts(
    claimed: Claimed, asked: Mapping[str, Passed | Stopped]
) -> Sequence[Passed | Stopped]:
    """What every stage says, in order; `asked` are those that need more than the claim.

    Raises:
        InvalidRequest: it is scheduled for the last days of the calendar.
    """
    try:
        return [stage.gate(claimed) if stage.gate else asked[stage.name] for stage in STAGES]
    except OverflowError:
        raise InvalidRequest(
            [FieldError("/scheduled_at", "is too far ahead to be previewed")]
        ) from None


def _route(
    providers: Sequence[str], blocked: Sequence[BlockedProvider]
) -> tuple[str | None, Passed | Stopped]:
    """The first provider that could be called, or why none can."""
    obstacles = {name: [b for b in blocked if b.provider in (None, name)] for name in providers}
    reasons = {
        name: "; ".join(b.reason for b in found) for name, found in obstacles.items() if found
    }
    free = next((name for name in providers if name not in reasons), None)
    if free is not None:
        skipped = {name: reasons[name] for name in providers[: providers.index(free)]}
        return free, Passed(
            Step(
                gate="provider",
                verdict="passed",
                reason=f"{free} would be called",
                inputs={"provider": free, **({"skipped": skipped} if skipped else {})},
            )
        )
    ends = [_end(found) for found in obstacles.values()]
    return None, Stopped(
        Step(
            gate="provider",
            verdict="deferred",
            reason="; ".join(dict.fromkeys(reasons.values())),
            inputs=reasons,
            next_eligible_at=min((end for end in ends if end is not None), default=None),
        ),
        Status.DEFERRED,
    )


def _end(obstacles: Sequence[BlockedProvider]) -> datetime | None:
    """When a provider can be called again; a pause has no end of its own."""
    ends = [obstacle.until for obstacle in obstacles if obstacle.until is not None]
    return max(ends) if len(ends) == len(obstacles) else None


def _outcome(
    new: Notification, facts: Facts, stopped: Stopped | None
) -> tuple[Would, str, datetime | None]:
    if new.scheduled_at is not None and new.scheduled_at == facts.at:
        then = stopped.step.reason if stopped else "it would be sent"
        return Would.WAIT, f"scheduled; as things are now, then: {then}", new.scheduled_at
    if stopped is None:
        return Would.SEND, "nothing stands against it", None
    return STOPS[stopped.status], stopped.step.reason, stopped.step.next_eligible_at
