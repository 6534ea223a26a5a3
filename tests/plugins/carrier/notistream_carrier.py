"""A provider that NotiStream has never heard of: POSTs to a carrier's gateway."""

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from notistream.providers.api import Accepted, Checked, ProviderSettings
from notistream.providers.http import checked_connection, open_session, raise_for_status


class CarrierSettings(ProviderSettings):
    model_config = SettingsConfigDict(env_prefix="NOTISTREAM_CARRIER_")

    url: str = Field(description="The gateway.")
    pin: SecretStr = Field(min_length=4, description="Of the account.")


class CarrierProvider:
    name = "carrier"
    channels = frozenset({"sms"})
    settings_model = CarrierSettings

    def __init__(self, settings, context):
        self._settings = settings
        self._session = None
        self._timeout_s = context.timeout_s

    async def send(self, message):
        if self._session is None:
            self._session = open_session(self._settings.url, timeout_s=self._timeout_s)
        body = {"to": message.recipient, "content": f"carried: {message.content}"}
        headers = {"Idempotency-Key": message.idempotency_key}
        async with self._session.post(self._settings.url, json=body, headers=headers) as response:
            raise_for_status(response.status, response.headers)
        return Accepted(f"carrier-{message.idempotency_key}")

    async def check(self):
        if self._settings.pin.get_secret_value() == "0000":
            return [
                Checked(
                    "failed", "the pin is the factory's", "set NOTISTREAM_CARRIER_PIN to your own"
                )
            ]
        return [await checked_connection(self._settings.url, setting="NOTISTREAM_CARRIER_URL")]

    async def aclose(self):
        if self._session is not None:
            await self._session.close()
            self._session = None
