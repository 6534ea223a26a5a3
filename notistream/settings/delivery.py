"""Settings of delivery: providers, rates, breakers, leases and lengths."""

from collections.abc import Mapping
from functools import cached_property
from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings

from notistream.domain.notification import CHANNELS
from notistream.domain.webhook_address import Allowed, allowed_from


class DeliverySettings(BaseSettings):
    """Providers, rates, breakers, leases and lengths."""

    webhook_url: str | None = Field(
        None,
        pattern=r"^https?://",
        description="When set, sms, email and push are POSTed to this address.",
    )
    webhook_timeout_s: float = Field(
        10.0,
        gt=0,
        le=15,
        description="Seconds that a provider call may take; at most half of LEASE_S.",
    )
    webhook_allow_networks: str = Field(
        "",
        description=(
            "Networks and hosts that tenants' webhooks may reach although they are not public, also"
            " by plain http, e.g. 127.0.0.0/8,::1/128,hooks.internal. `make run` allows loopback."
        ),
    )
    providers: dict[str, list[str]] = Field(
        default_factory=dict,
        description=(
            'Ordered providers of each channel as JSON, e.g. {"sms": ["webhook", "console"]}.'
        ),
    )
    rate_limit_per_channel: float = Field(
        100.0,
        ge=0,
        le=1_000_000,
        description=(
            "Calls per second to each provider of a channel, all workers together; 0 = no limit."
        ),
    )
    provider_rate_limits: dict[str, Annotated[float, Field(ge=0, le=1_000_000)]] = Field(
        default_factory=dict,
        description=(
            "Calls per second where they differ, by provider or channel/provider, as JSON, "
            'e.g. {"webhook": 500, "sms/twilio": 20}.'
        ),
    )
    recipient_rate_limit: str = Field(
        "60/minute",
        pattern=r"^(0|\d{1,9}/(second|minute|[1-9]\d{0,2}s|([1-9]|10)m))$",
        description=(
            "Messages to one recipient over one channel, any count and span such as 50/2s; 0 ="
            " none."
        ),
    )
    dlq_limit: str = Field(
        "1000/minute",
        pattern=r"^(0|\d{1,9}/(second|minute|hour|day|[1-9]\d{0,5}[smh]))$",
        description=(
            "Undecodable records and internal errors that a worker buries per channel, any count"
            " and span; then the lane stops and says so. 0 = no limit."
        ),
    )
    breaker_failures: int = Field(
        5,
        ge=1,
        le=1000,
        description="Outages in a row after which a provider's circuit breaker opens.",
    )
    breaker_open_s: float = Field(
        30.0, gt=0, le=3600, description="Seconds that it stays open before one call may try again."
    )
    worker_concurrency: int = Field(
        64,
        ge=1,
        le=4096,
        description="Notifications in flight per lane (channel and priority) of a worker.",
    )
    worker_slot: int = Field(
        0,
        ge=0,
        le=9999,
        description="Number of this worker on its machine: own datadir, instance id and port.",
    )
    lease_s: float = Field(
        30.0,
        ge=1,
        le=600,
        description="Seconds that a delivery is claimed for before another worker takes over.",
    )
    sms_max_length: int = Field(
        160, ge=1, le=1600, description="Characters that an SMS may have, rendered."
    )

    @cached_property
    def text_limits(self) -> Mapping[str, int]:
        """Characters that a rendered text may have, per channel."""
        lengths = {name: channel.max_length for name, channel in CHANNELS.items()}
        return {**lengths, "sms": self.sms_max_length}

    @cached_property
    def allowed_webhook_addresses(self) -> Allowed:
        """Where webhooks may go although it is not public.

        Raises:
            ValueError: the setting cannot be read.
        """
        return allowed_from(self.webhook_allow_networks)
