"""The control loop: pauses reach admission, ended ones are released, breakers are reported."""

from datetime import UTC, datetime

import pytest

from notistream.db.breakers import OpenBreaker
from notistream.db.pauses import Pause, StoredPause
from notistream.domain.notification import CHANNELS
from notistream.domain.outcome import Accepted
from notistream.operating.control import ControlLoop
from notistream.providers.admission import Admission
from notistream.settings.model import Settings
from tests.core.channel_bench import OUTAGE
from tests.core.token_slots import TokenSlots
from tests.core.virtual_time import virtual_time

SMS, EMAIL = Pause("sms"), Pause("email", "console")
PROVIDERS = {channel: ["console", "webhook"] for channel in CHANNELS}


class Operators:
    """Stands in for `Pauses`, and keeps what was released and reported."""

    def __init__(self):
        self.paused = ()
        self.released = []
        self.reports = []
        self.admission = Admission(Settings(), PROVIDERS, TokenSlots().lease)
        self.loop = ControlLoop(self.admission, self, report=self.report)

    async def current(self):
        return [StoredPause(pause, "", datetime.now(UTC)) for pause in self.paused]

    async def release(self, channel):
        self.released.append(channel)
        return 0

    async def report(self, breakers):
        self.reports.append(breakers)

    async def step(self, *paused):
        """What is released in a step while these are paused."""
        self.paused, self.released = paused, []
        await self.loop.step()
        return self.released

    def blocked(self):
        """Reasons by channel and provider."""
        return {
            (name, route.provider): route.paused
            for name, channel in self.admission.channels.items()
            for route in channel.routes
            if route.paused
        }


@pytest.fixture
def operators():
    return Operators()


async def test_a_pause_blocks_its_channel_or_its_provider_until_it_ends(operators):
    await operators.step(SMS, EMAIL)
    assert operators.blocked() == {
        ("sms", "console"): "paused: sms",
        ("sms", "webhook"): "paused: sms",
        ("email", "console"): "paused: email/console",
    }
    await operators.step(EMAIL)
    assert operators.blocked() == {("email", "console"): "paused: email/console"}
    await operators.step()
    assert operators.blocked() == {}


async def test_the_first_step_releases_every_channel_that_is_not_paused(operators):
    assert set(await operators.step(SMS)) == set(CHANNELS) - {"sms"}


async def test_an_ended_pause_is_released_twice_and_then_no_more(operators):
    await operators.step(SMS, EMAIL)
    await operators.step(SMS, EMAIL)
    assert await operators.step(SMS, EMAIL) == []
    assert await operators.step(SMS) == ["email"]
    assert await operators.step() == ["email", "sms"]
    assert await operators.step() == ["sms"]
    assert await operators.step() == []


@virtual_time
async def test_breakers_are_reported_while_one_is_not_closed_and_once_afterwards(operators):
    await operators.step()
    assert operators.reports == [[]], "a former process of the slot may have left a report"
    await operators.step()
    assert operators.reports == [[]]
    breaker = operators.admission.channels["email"].routes[0].breaker
    for _ in range(5):
        breaker.report(OUTAGE, probe=False)
    await operators.step()
    assert operators.reports[1:] == [
        [OpenBreaker("email", "console", "open", "HTTP 503", pytest.approx(30.0, abs=1.0))]
    ]
    breaker.begin()
    breaker.report(Accepted(None), probe=True)
    await operators.step()
    await operators.step()
    assert operators.reports[2:] == [[]]
