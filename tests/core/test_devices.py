"""Several devices: one attempt calls each with its own key, and says of each what came of it."""

from dataclasses import replace

import pytest

from notistream.delivery.devices import combined
from notistream.domain.notification import OnUnknown, Status
from notistream.domain.outcome import Accepted, Ambiguous, AttemptOutcome, Permanent, Temporary
from notistream.domain.recipient import device_mark
from tests.core.delivery_fakes import CLAIMED, FakePermit, World

PUSH = replace(CLAIMED, recipient="c", recipient_id="ann", devices=("a", "b", "c"))
OK, LATER, LATEST = Accepted("m"), Temporary("busy"), Temporary("busier", 30.0)
NO, DEAD, WHO_KNOWS = (
    Permanent("refused"),
    Permanent("gone", dead_address=True),
    Ambiguous("no answer"),
)


def answers(world, results):
    """Let the sender answer each device with its own result."""

    async def send(provider, message):
        world.sent.append((provider, message))
        return results[message.recipient]

    world.send = send
    return world


async def delivered(results, claimed=PUSH, permit=None):
    world = answers(World(), results)
    return world, await world.deliver(claimed, permit or FakePermit())


@pytest.mark.parametrize(
    ("results", "said"),
    [
        ([OK, NO], OK),
        ([NO, OK, LATER], OK),
        ([NO, LATER], LATER),
        ([LATER, LATEST], LATEST),
        ([NO, DEAD], NO),
        ([LATER, WHO_KNOWS, NO], WHO_KNOWS),
        ([DEAD], DEAD),
    ],
)
def test_what_the_calls_come_to_together(results, said):
    assert combined(results) is said


async def test_every_device_is_called_once_with_a_key_of_its_own():
    world, end = await delivered({"a": OK, "b": NO, "c": LATER})
    assert [message.recipient for _, message in world.sent] == ["a", "b", "c"]
    keys = [message.idempotency_key for _, message in world.sent]
    assert keys == [f"{PUSH.id}:{device_mark(device)}" for device in "abc"]
    assert (end.status, end.outcome, end.provider_message_id) == (
        Status.DELIVERED,
        AttemptOutcome.DELIVERED,
        "m",
    )
    assert [(s.gate, s.verdict, s.reason) for s in end.steps] == [
        ("device", "delivered", "accepted"),
        ("device", "permanent", "refused"),
        ("device", "temporary", "busy"),
    ]
    assert [s.inputs["device"] for s in end.steps] == [device_mark(device) for device in "abc"]
    assert not any(device in str(s.inputs) for s in end.steps for device in ("'a'", "'b'", "'c'"))
    world, _ = await delivered({"a": OK, "b": NO, "c": LATER}, replace(PUSH, attempts=2))
    assert [message.idempotency_key for _, message in world.sent] == keys


@pytest.mark.parametrize(
    ("results", "claimed", "status", "outcome"),
    [
        ({"a": NO, "b": LATER, "c": NO}, PUSH, Status.RETRYING, AttemptOutcome.TEMPORARY),
        ({"a": NO, "b": NO, "c": DEAD}, PUSH, Status.FAILED, AttemptOutcome.PERMANENT),
        ({"a": LATER, "b": WHO_KNOWS, "c": NO}, PUSH, Status.RETRYING, AttemptOutcome.UNKNOWN),
        (
            {"a": LATER, "b": WHO_KNOWS, "c": NO},
            replace(PUSH, on_unknown=OnUnknown.HOLD),
            Status.UNKNOWN,
            AttemptOutcome.UNKNOWN,
        ),
        ({"b": OK}, replace(PUSH, devices=("b",)), Status.DELIVERED, AttemptOutcome.DELIVERED),
    ],
)
async def test_how_the_attempt_ends(results, claimed, status, outcome):
    _, end = await delivered(results, claimed)
    assert (end.status, end.outcome) == (status, outcome)


async def test_a_dead_address_is_told_of():
    _, end = await delivered({"a": OK, "b": DEAD, "c": DEAD})
    assert (end.status, end.dead_addresses) == (Status.DELIVERED, ("b", "c"))
    world = World(DEAD)
    end = await world.deliver(CLAIMED)
    assert (end.status, end.dead_addresses) == (Status.FAILED, (CLAIMED.recipient,))
    assert (await World(NO).deliver(CLAIMED)).dead_addresses == ()


async def test_each_further_call_takes_a_token_and_without_one_is_not_made():
    permit = FakePermit()
    permit.further = 1
    world, end = await delivered({"a": NO, "b": NO, "c": NO}, permit=permit)
    assert [message.recipient for _, message in world.sent] == ["a", "b"]
    assert end.status is Status.RETRYING  # the third was not refused
    assert end.steps[2].reason == "not called: the rate of the provider is used up"
    assert len(permit.reports) == 1


async def test_no_device_is_called_after_the_time_for_it():
    world = answers(World(), {"a": OK, "b": OK, "c": OK})

    class Slow(FakePermit):
        async def another(self):
            world.now = 100.0
            return True

    await world.deliver(PUSH, Slow())
    assert [message.recipient for _, message in world.sent] == ["a"]
