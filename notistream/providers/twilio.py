"""Twilio: SMS by the Messages API; its status callbacks become receipts.

Twilio has no idempotency key: an attempt whose answer was lost and that is sent again may arrive
twice, and is counted.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import aiohttp
from pydantic import Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from notistream.delivery.ports import Message
from notistream.domain.outcome import Accepted
from notistream.domain.receipt import ProviderReceipt
from notistream.providers import twilio_callbacks
from notistream.providers.api import (
    Callback,
    CallbackRefusedError,
    Checked,
    Context,
    ProviderSettings,
)
from notistream.providers.http import asked_wait_s, open_session, read_answer
from notistream.providers.twilio_errors import error_of

P = "NOTISTREAM_TWILIO_"


class TwilioSettings(ProviderSettings):
    """An account, what it authenticates with, and who the sender is."""

    model_config = SettingsConfigDict(env_prefix=P)

    account_sid: str = Field(
        pattern=r"^AC[0-9a-zA-Z]{32}$", description="Account SID, AC and 32 characters."
    )
    auth_token: SecretStr | None = Field(
        None,
        description="Auth token of the account; receipts are verified by it, with an API key too.",
    )
    api_key_sid: str | None = Field(
        None,
        pattern=r"^SK[0-9a-zA-Z]{32}$",
        description="API key, SK…; calls then use it in place of the token.",
    )
    api_key_secret: SecretStr | None = Field(None, description="Secret of the API key.")
    from_number: str | None = Field(
        None, description="Sender: a number of the account such as +15005550006, or a name."
    )
    messaging_service_sid: str | None = Field(
        None,
        pattern=r"^MG[0-9a-zA-Z]{32}$",
        description="Or a Messaging Service, MG…, that chooses the sender.",
    )
    status_callback_url: str | None = Field(
        None,
        pattern=r"^https?://",
        description="Where Twilio reports to. Default: PUBLIC_URL/callbacks/twilio.",
    )
    api_url: str = Field(
        "https://api.twilio.com",
        pattern=r"^https?://",
        description="Address of the API; differs by region.",
    )

    @model_validator(mode="after")
    def _complete(self) -> "TwilioSettings":
        if (self.api_key_sid is None) != (self.api_key_secret is None):
            raise ValueError(f"{P}API_KEY_SID and {P}API_KEY_SECRET go together")
        if self.auth_token is None and self.api_key_sid is None:
            raise ValueError(f"set {P}AUTH_TOKEN, or {P}API_KEY_SID and {P}API_KEY_SECRET")
        if (self.from_number is None) == (self.messaging_service_sid is None):
            raise ValueError(f"set one of {P}FROM_NUMBER and {P}MESSAGING_SERVICE_SID")
        return self


class TwilioProvider:
    """Serves sms."""

    name = "twilio"
    channels = frozenset({"sms"})
    settings_model = TwilioSettings

    def __init__(self, settings: TwilioSettings, context: Context) -> None:
        self._settings = settings
        self._account = f"{settings.api_url.rstrip('/')}/2010-04-01/Accounts/{settings.account_sid}"
        self._callback_url = settings.status_callback_url or context.callback_url(self.name)
        self._timeout_s = context.timeout_s
        self._session: aiohttp.ClientSession | None = None

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = open_session(self._account, timeout_s=self._timeout_s)
        return self._session

    def _auth(self) -> Mapping[str, str]:
        """Prefer an API key, because it can be revoked alone."""
        settings = self._settings
        secret = settings.api_key_secret or settings.auth_token
        assert secret is not None, "the settings are complete"
        login = settings.api_key_sid or settings.account_sid
        return {"Authorization": aiohttp.encode_basic_auth(login, secret.get_secret_value())}

    async def send(self, message: Message) -> Accepted:
        """Queue one message at Twilio; its SID is kept."""
        async with self._open().post(
            f"{self._account}/Messages.json",
            data=self._form(message),
            headers=self._auth(),
            allow_redirects=False,
        ) as response:
            answer = await read_answer(response)
            if not 200 <= response.status < 300:
                after = asked_wait_s(response.headers)
                raise error_of(response.status, _code(answer), retry_after_s=after)
        sid = answer.get("sid") if isinstance(answer, dict) else None
        return Accepted(sid if isinstance(sid, str) and sid else None)

    def _form(self, message: Message) -> Mapping[str, str]:
        form = {"To": message.recipient, "Body": message.content}
        if self._settings.messaging_service_sid:
            form["MessagingServiceSid"] = self._settings.messaging_service_sid
        else:
            form["From"] = self._settings.from_number or ""
        if self._callback_url:
            form["StatusCallback"] = f"{self._callback_url}?key={quote(message.idempotency_key)}"
        return form

    async def receipts(self, callback: Callback) -> Sequence[ProviderReceipt]:
        """Those of Twilio's status callback."""
        token = self._settings.auth_token
        if token is None or self._callback_url is None:
            raise CallbackRefusedError(f"{P}AUTH_TOKEN or the address of callbacks is not set")
        return twilio_callbacks.read(
            callback, url=self._callback_url, auth_token=token.get_secret_value()
        )

    async def check(self) -> Sequence[Checked]:
        """Check the account and its credentials, the sender, and whether receipts can come."""
        try:
            wrong = await self._account_fault() or await self._sender_fault()
        except (OSError, aiohttp.ClientError) as exc:
            wrong = Checked(
                "warning",
                f"Twilio is not reachable: {type(exc).__name__}",
                "check the network and the proxy",
            )
        found = wrong or Checked("ok", "Twilio accepts the credentials and the sender")
        return [checked for checked in (found, self._receipts_fault()) if checked]

    def _receipts_fault(self) -> Checked | None:
        if self._callback_url is None:
            return Checked(
                "warning",
                "Twilio has no address to send receipts to",
                f"set NOTISTREAM_PUBLIC_URL or {P}STATUS_CALLBACK_URL",
            )
        if self._settings.auth_token is None:
            return Checked(
                "warning",
                "receipts are refused: they are signed by the auth token",
                f"set {P}AUTH_TOKEN beside the API key",
            )
        return None

    async def _sender_fault(self) -> Checked | None:
        number = self._settings.from_number
        if number is None or not number.startswith("+"):
            return None
        status, found = await self._get(f"/IncomingPhoneNumbers.json?PhoneNumber={quote(number)}")
        if status != 200 or found.get("incoming_phone_numbers"):
            return None
        return Checked(
            "warning",
            f"{P}FROM_NUMBER is not among the numbers of this account",
            "buy it, or name another; a verified caller id is not listed",
        )

    async def _account_fault(self) -> Checked | None:
        """An API key may not read the account, so its messages are read instead."""
        by_key = self._settings.api_key_sid is not None
        status, account = await self._get("/Messages.json?PageSize=1" if by_key else ".json")
        named = f"{P}API_KEY_SID and {P}API_KEY_SECRET" if by_key else f"{P}AUTH_TOKEN"
        if status in (401, 403):
            return Checked(
                "failed",
                f"Twilio refuses {P}ACCOUNT_SID with {named} (HTTP {status})",
                "copy both from the Twilio console",
            )
        if status == 404:
            return Checked(
                "failed",
                f"{P}ACCOUNT_SID names no account that these credentials see",
                "copy it from the console",
            )
        if status != 200:
            return Checked(
                "warning",
                f"Twilio answered HTTP {status}",
                "try again later; https://status.twilio.com",
            )
        if not by_key and account.get("status") != "active":
            return Checked(
                "failed",
                f"the account is {account.get('status')}",
                "reactivate it in the Twilio console",
            )
        return None

    async def _get(self, path: str) -> tuple[int, Mapping[str, Any]]:
        async with self._open().get(
            self._account + path, headers=self._auth(), allow_redirects=False
        ) as response:
            answer = await read_answer(response)
            return response.status, answer if isinstance(answer, dict) else {}

    async def aclose(self) -> None:
        """Close the pooled connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None


def _code(answer: object) -> int | None:
    code = answer.get("code") if isinstance(answer, dict) else None
    return code if isinstance(code, int) else None
