"""All settings of NotiStream: what can be set from outside, and how the parts must agree."""

from functools import cached_property

from pydantic import model_validator
from pydantic_settings import SettingsConfigDict

from notistream.settings.delivery import DeliverySettings
from notistream.settings.kafka import KafkaSettings
from notistream.settings.observation import ObservationSettings
from notistream.settings.retention import RetentionSettings
from notistream.settings.server import ServerSettings, secrets_of

__all__ = ["LOOPBACK", "PREFIX", "Settings", "secrets_of"]

PREFIX = "NOTISTREAM_"
LOOPBACK = ("127.0.0.1", "localhost", "::1")


# The last base comes first where settings are listed.
class Settings(
    ObservationSettings, RetentionSettings, DeliverySettings, KafkaSettings, ServerSettings
):
    """Immutable settings; the real environment wins over `.env`, and both over the defaults."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file=".env",
        env_file_encoding="utf-8",
        extra="ignore",
        frozen=True,
        env_ignore_empty=True,
    )

    @model_validator(mode="after")
    def _consistent(self) -> "Settings":
        if self.auth == "off" and self.host not in LOOPBACK and not self.allow_insecure:
            raise ValueError(
                f"{PREFIX}AUTH=off is refused on {self.host}: use {PREFIX}HOST=127.0.0.1,"
                f" {PREFIX}AUTH=on, or {PREFIX}ALLOW_INSECURE=1"
            )
        if self.webhook_timeout_s > self.lease_s / 2:
            raise ValueError(
                f"{PREFIX}WEBHOOK_TIMEOUT_S must be at most half of {PREFIX}LEASE_S:"
                f" {self.lease_s / 2:g}"
            )
        if short := self.short_retention():
            raise ValueError(PREFIX + short)
        _ = self.kafka  # refuses what it cannot use
        self._refuse_unreadable_networks()
        return self

    def _refuse_unreadable_networks(self) -> None:
        try:
            _ = self.allowed_webhook_addresses
        except ValueError as exc:
            raise ValueError(
                f"{PREFIX}WEBHOOK_ALLOW_NETWORKS: {exc}; write it like"
                " 127.0.0.0/8,::1/128,hooks.internal"
            ) from None

    @cached_property
    def metrics_port(self) -> int:
        """Port of this worker's own web server."""
        return self.worker_port or self.port + 1 + self.worker_slot
