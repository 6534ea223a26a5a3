"""The ports of a delivery in memory: ledger, template sources, sender, caps, counts, permit."""

from collections import Counter
from datetime import UTC, datetime
from uuid import uuid4

from notistream.delivery.checks import Checks
from notistream.delivery.dead_letter_limit import DeadLetterLimit
from notistream.delivery.limits import RecipientLimit
from notistream.delivery.pipeline import Pipeline, Timing
from notistream.delivery.ports import CapUse, Origin
from notistream.delivery.rendering import Renderer
from notistream.domain.notification import Claimed, OnUnknown, Priority
from notistream.domain.outcome import Accepted
from notistream.domain.rate_limit import Rate, Usage, wait_s
from notistream.domain.template_text import TemplateText, TemplateVersion

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
ORIGIN = Origin("notistream.sms.normal", 3, 41, b"tenant:+905000000001")
CLAIMED = Claimed(
    id=uuid4(),
    tenant_id=uuid4(),
    channel="sms",
    priority=Priority.NORMAL,
    recipient="+905000000001",
    recipient_id=None,
    content="hi",
    subject=None,
    template_id=None,
    template_name=None,
    template_version=None,
    template_variables={},
    expires_at=None,
    category=None,
    on_unknown=OnUnknown.RESEND,
    correlation_id="c",
    traceparent="00-x",
    chain=1,
    attempts=1,
    lease_token=uuid4(),
    claimed_at=NOW,
    call_before=100.0,
)


class RecipientCounts:
    """Implements `RecipientUsage`; its partition can move away, and what it counts can be lost."""

    def __init__(self):
        self.taken = Counter()
        self.moved = False
        self.is_kept = True

    def take(self, channel, origin, rate, now_s):
        if self.moved:
            return None
        window, key = now_s // rate.window_s, (channel, origin.key)
        usage = Usage(now_s, self.taken[*key, window], self.taken[*key, window - 1])
        if not wait_s(rate, usage):
            self.taken[*key, window] += 1
        return usage

    async def kept(self, origin):
        return self.is_kept


class FakePermit:
    """Implements `Permit`: `providers` can be called, in this order.

    Or `blocked` says why none can.
    """

    def __init__(self, *providers, blocked=None):
        self.providers = providers or ("webhook",)
        self.blocked = blocked
        self.preferred = []
        self.called = None
        self.reports = []
        self.further = 100

    async def another(self):
        self.further -= 1
        return self.further >= 0

    async def route(self, preferred):
        self.preferred.append(preferred)
        if self.blocked:
            return self.blocked
        self.called = preferred if preferred in self.providers else self.providers[0]
        return self.called

    def report(self, result):
        self.reports.append(result)

    def failover(self):
        following = self.providers[self.providers.index(self.called) + 1 :]
        return following[0] if following else None

    def close(self):
        raise AssertionError("the lane closes it")


class World:
    """Ledger, sources, sender and caps.

    `fault` is raised where the text of a template is asked for.
    """

    def __init__(
        self,
        result=None,
        *,
        source=(None, "Hello {{ name }}"),
        cap=None,
        rate=None,
        dead_letter_limits=0,
        fault=None,
    ):
        self.result = result or Accepted("m1")
        self.template = source
        self.cap = cap or CapUse(allowed=True, used=0)
        self.fault = fault
        self.counts = RecipientCounts()
        self.sent = []
        self.ends = []
        self.counted = []
        self.now = 0.0
        self.pipeline = Pipeline(
            ledger=self,
            dispatcher=self,
            checks=Checks(
                renderer=Renderer(self, {"sms": 160}.__getitem__),
                caps=self,
                recipient_limit=RecipientLimit(self.counts, rate or Rate(0, 1)),
            ),
            dead_letter_limits={"sms": DeadLetterLimit(Rate(dead_letter_limits, 60))},
            count=lambda *counted: self.counted.append(counted),
            timing=Timing(clock=lambda: self.now, jitter=lambda: 0.5),
        )

    async def deliver(self, claimed, permit=None, origin=ORIGIN):
        """Deliver one; how it ended."""
        await self.pipeline.deliver(claimed, permit or FakePermit(), origin)
        return self.ends[-1]

    async def claim(self, turn):
        raise AssertionError

    async def park(self, parking):
        raise AssertionError

    async def finish(self, claimed, end, origin):
        assert origin is ORIGIN
        self.ends.append(end)

    async def source(self, claimed):
        if self.fault:
            raise self.fault
        return TemplateVersion(TemplateText(*self.template)) if self.template else None

    async def take(self, claimed, cap):
        return self.cap

    async def send(self, provider, message):
        self.sent.append((provider, message))
        return self.result
