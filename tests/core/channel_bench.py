"""A channel's admission with providers a, b, …: real breakers and buckets on a virtual clock,
tokens in memory.
"""

import asyncio

from notistream.delivery.ports import Blocked
from notistream.domain.notification import Priority
from notistream.domain.outcome import Temporary
from notistream.providers.admission import ChannelAdmission, ProviderRoute
from notistream.providers.breaker import Breaker
from notistream.providers.bucket import Bucket
from tests.core.token_slots import TokenSlots
from tests.core.virtual_time import now

OUTAGE = Temporary("HTTP 503")


class ChannelBench:
    """A channel with providers a, b, …, each with a bucket where there is a rate."""

    def __init__(self, providers="ab", rate=0.0):
        self.slots = TokenSlots()
        self.channel = ChannelAdmission("sms")
        self.channel.routes = [
            ProviderRoute(p, Breaker(clock=now, failures=5, open_s=30.0), self._bucket(p, rate))
            for p in providers
        ]
        self.changes = 0
        self.channel.lane(Priority.HIGH).on_change(self._changed)

    def _bucket(self, provider, rate):
        name = f"sms/{provider}"
        return (
            Bucket(name, rate, lease=self.slots.lease, clock=now, on_arrival=self.channel.changed)
            if rate
            else None
        )

    def _changed(self):
        self.changes += 1

    def breaker(self, provider):
        return self.channel.find(provider).breaker

    def open(self, *providers):
        """Open the breakers of these, as five outages do."""
        for provider in providers:
            route = self.channel.find(provider)
            for _ in range(5):
                route.breaker.report(OUTAGE, probe=False)
            self.channel.breaker_changed(route)

    def pause(self, *providers):
        for provider in providers:
            self.channel.find(provider).paused = f"paused: sms/{provider}"

    async def admitted(self, wanted=1):
        """A permit, as soon as there is a token."""
        while isinstance(permit := self.channel.admit(wanted), Blocked):
            assert permit.gate == "bucket"
            await asyncio.sleep(0.005)
        return permit

    async def call(self, result, preferred=None):
        """A whole delivery: admitted, routed, reported, closed; the provider that was called."""
        permit = await self.admitted()
        provider = await permit.route(preferred)
        permit.report(result)
        permit.close()
        return provider
