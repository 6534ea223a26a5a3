"""The sandbox: what an address asks for, and that a test message reaches no real provider."""

from dataclasses import replace

import pytest

from notistream.delivery.ports import Blocked
from notistream.domain.notification import Status
from notistream.domain.outcome import Accepted, Ambiguous, Permanent, Temporary
from notistream.errors import DatabaseUnavailable
from notistream.providers import guard
from notistream.providers.api import Context, ProviderSettings
from notistream.providers.sandbox import FAILURES, SandboxProvider
from tests.core.delivery_fakes import CLAIMED, FakePermit, World
from tests.providers.case import SMS

TEST = replace(CLAIMED, test=True, next_provider="webhook")
RESULTS = {
    "permanent": Permanent("sandbox: refused for good"),
    "dead": Permanent("sandbox: no such address", dead_address=True),
    "temporary": Temporary("sandbox: not now"),
    "throttled": Temporary("sandbox: too many requests", 5.0, throttled=True),
    "timeout": Ambiguous("no answer: timed out"),
}


@pytest.mark.parametrize(
    ("recipient", "word"),
    [
        *((f"+1500555{one.digits}", one.word) for one in FAILURES),
        *((f"anyone+{one.word}@example.com", one.word) for one in FAILURES),
        *((f"device-{one.word}", one.word) for one in FAILURES),
        ("+15005550009", None),
        ("+905550000001", None),
        ("permanent@example.com", None),
        ("permanent", None),
        ("a+permanent.b@example.com", None),
        ("+150055500011", None),
    ],
)
async def test_an_address_asks_for_a_failure(recipient, word):
    kept = []

    async def keep(message, outcome):
        kept.append((message.recipient, outcome))

    sandbox = SandboxProvider(ProviderSettings(), Context(keep=keep))
    result = await guard.call(sandbox, replace(SMS, recipient=recipient), timeout_s=1)
    assert kept == [(recipient, word or "delivered")]
    if word is None:
        assert isinstance(result, Accepted)
    else:
        assert result == RESULTS[word]


async def test_a_store_that_is_away_is_temporary():
    async def keep(message, outcome):
        raise DatabaseUnavailable

    for context in (Context(keep=keep), Context()):
        sandbox = SandboxProvider(ProviderSettings(), context)
        assert isinstance(await guard.call(sandbox, SMS, timeout_s=1), Temporary)


@pytest.mark.parametrize(
    ("result", "status"),
    [
        (Accepted("m"), Status.DELIVERED),
        (Temporary("no"), Status.RETRYING),
        (Permanent("no"), Status.FAILED),
    ],
)
async def test_a_test_message_goes_to_the_sandbox_whatever_stands_before_the_real_providers(
    result, status
):
    world, permit = (
        World(result),
        FakePermit("webhook", "other", blocked=Blocked("breaker", "open", 30.0)),
    )
    end = await world.deliver(TEST, permit)
    assert [provider for provider, _ in world.sent] == ["sandbox"]
    assert (end.status, end.provider, end.next_provider) == (status, "sandbox", None)
    assert (permit.preferred, permit.reports) == ([], [])
    step = next(step for step in end.steps if step.gate == "provider")
    assert (step.verdict, "test key" in step.reason) == ("sandbox", True)
