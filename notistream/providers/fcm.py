"""FCM: push by Firebase Cloud Messaging's HTTP v1 API, as a service account.

FCM has no idempotency key. Each message carries ours as its tag and collapse id, so that a device
shows one that came twice once.
"""

import json
import time
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import aiohttp
import orjson
from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from notistream.delivery.ports import Message
from notistream.domain.outcome import Accepted
from notistream.providers import google_token
from notistream.providers.api import (
    Checked,
    Context,
    PermanentError,
    ProviderSettings,
    TemporaryError,
)
from notistream.providers.fcm_errors import code_of, row_of
from notistream.providers.google_token import AccessTokens
from notistream.providers.http import asked_wait_s, open_session, read_answer
from notistream.providers.vendor_errors import by_status

P = "NOTISTREAM_FCM_"
CREDENTIALS = f"{P}CREDENTIALS"
SCOPES = ("https://www.googleapis.com/auth/firebase.messaging",)
FOUR_WEEKS_S = 2_419_200
PROBE = "notistream-doctor"


class FcmSettings(ProviderSettings):
    """A service account that may send, and where to."""

    model_config = SettingsConfigDict(env_prefix=P)

    credentials: SecretStr = Field(
        description=(
            "Key of a service account with the role Firebase Cloud Messaging API Admin: path of its"
            " JSON file, or the JSON itself."
        )
    )
    project_id: str | None = Field(
        None,
        pattern=r"^[a-z0-9:.-]+$",
        description="Firebase project. Default: that of the service account.",
    )
    ttl_s: int = Field(
        FOUR_WEEKS_S,
        ge=0,
        le=FOUR_WEEKS_S,
        description="Seconds that FCM keeps a message for a device that is off.",
    )
    api_url: str = Field(
        "https://fcm.googleapis.com", pattern=r"^https?://", description="Address of the API."
    )
    token_url: str | None = Field(
        None,
        pattern=r"^https?://",
        description="Address of the token service. Default: that of the key file.",
    )

    @field_validator("credentials")
    @classmethod
    def _usable(cls, value: SecretStr) -> SecretStr:
        google_token.load(_key_file(value), SCOPES)
        return value

    @model_validator(mode="after")
    def _complete(self) -> "FcmSettings":
        if not self.project:
            raise ValueError(f"the service account names no project; set {P}PROJECT_ID")
        return self

    @cached_property
    def key(self) -> Mapping[str, Any]:
        """Content of the key file."""
        return _key_file(self.credentials)

    @property
    def project(self) -> str | None:
        return self.project_id or self.key.get("project_id")


def _key_file(credentials: SecretStr) -> Mapping[str, Any]:
    """Messages of errors show neither the key nor what looks like one."""
    text = credentials.get_secret_value().strip()
    if not text.startswith("{"):
        try:
            text = Path(text).read_text(encoding="utf-8")
        except (OSError, ValueError) as exc:
            raise ValueError(f"is the path of no readable file ({type(exc).__name__})") from None
    try:
        key = json.loads(text)
    except ValueError:
        raise ValueError("is not JSON") from None
    if not isinstance(key, dict) or key.get("type") != "service_account":
        raise ValueError('is not the key of a service account ("type": "service_account")')
    return key


class FcmProvider:
    """Serves push; the address is a registration token."""

    name = "fcm"
    channels = frozenset({"push"})
    settings_model = FcmSettings

    def __init__(self, settings: FcmSettings, context: Context) -> None:
        self._url = f"{settings.api_url.rstrip('/')}/v1/projects/{settings.project}/messages:send"
        self._ttl_s = settings.ttl_s
        self._timeout_s = context.timeout_s
        self._session: aiohttp.ClientSession | None = None
        key = {**settings.key, **({"token_uri": settings.token_url} if settings.token_url else {})}
        self._tokens = AccessTokens(
            google_token.load(key, SCOPES), setting=CREDENTIALS, timeout_s=context.timeout_s / 2
        )

    async def send(self, message: Message) -> Accepted:
        """Send to one token; FCM's name of the message is kept."""
        answer = await self._post({"message": _message(message, ttl_s=self._ttl_s)})
        name = answer.get("name") if isinstance(answer, dict) else None
        return Accepted(name if isinstance(name, str) and name else None)

    async def _post(self, body: Mapping[str, Any]) -> object:
        """The accepting answer.

        Raises:
            TemporaryError, PermanentError: FCM refuses, or there is no access token.
        """
        token = await self._tokens.get()
        if self._session is None:
            self._session = open_session(self._url, timeout_s=self._timeout_s)
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        async with self._session.post(
            self._url, data=orjson.dumps(body), headers=headers, allow_redirects=False
        ) as response:
            answer = await read_answer(response)
            if 200 <= response.status < 300:
                return answer
            code = code_of(answer)
            if response.status == 401 and code != "THIRD_PARTY_AUTH_ERROR":
                self._tokens.forget(token)
            after = asked_wait_s(response.headers)
            raise (row_of(answer) or by_status(response.status)).as_error(
                f"FCM {code or f'HTTP {response.status}'}",
                settings=CREDENTIALS,
                retry_after_s=after,
            )

    async def check(self) -> Sequence[Checked]:
        """Get a token, then let FCM validate a message without sending it."""
        try:
            await self._tokens.get()
        except TemporaryError as exc:
            return (
                _fault(exc, "make a new key of the service account in the Google Cloud console"),
            )
        try:
            await self._post(
                {
                    "validate_only": True,
                    "message": {"topic": PROBE, "notification": {"body": PROBE}},
                }
            )
        except (OSError, aiohttp.ClientError) as exc:
            return (
                Checked(
                    "warning",
                    f"FCM is not reachable: {type(exc).__name__}",
                    "check the network and the proxy",
                ),
            )
        except TemporaryError as exc:
            return (
                _fault(
                    exc,
                    f"in the project of {P}PROJECT_ID, enable the API and give the account of this"
                    " key the role Firebase Cloud Messaging API Admin",
                ),
            )
        except PermanentError as exc:
            return (Checked("failed", exc.reason, f"correct {P}PROJECT_ID"),)
        return (Checked("ok", "FCM accepts the service account"),)

    async def aclose(self) -> None:
        """Close the pooled connections."""
        await self._tokens.aclose()
        if self._session is not None:
            await self._session.close()
            self._session = None


def _fault(error: TemporaryError, remedy: str) -> Checked:
    """A refusal of the credentials needs the remedy, an outage only time."""
    if CREDENTIALS in error.reason:
        return Checked("failed", error.reason, remedy)
    return Checked("warning", error.reason, "try again later")


def _message(message: Message, *, ttl_s: int) -> Mapping[str, Any]:
    key = message.idempotency_key
    expiration = int(time.time()) + ttl_s if ttl_s else 0
    notification = {
        "body": message.content,
        **({"title": message.subject} if message.subject else {}),
    }
    return {
        "token": message.recipient,
        "notification": notification,
        "data": _data(message),
        "android": {"ttl": f"{ttl_s}s", "notification": {"tag": key}},
        "apns": {"headers": {"apns-collapse-id": key, "apns-expiration": str(expiration)}},
        "webpush": {"headers": {"TTL": str(ttl_s)}, "notification": {"tag": key}},
    }


def _data(message: Message) -> Mapping[str, str]:
    """Values as strings, as FCM wants them; names that FCM keeps for itself are left out."""
    sent = {
        name: value if isinstance(value, str) else orjson.dumps(value, default=str).decode()
        for name, value in message.payload.items()
        if not _is_reserved(name)
    }
    return {**sent, "notification_id": str(message.notification_id)}


def _is_reserved(name: str) -> bool:
    return name in ("from", "message_type", "notification_id") or name.startswith(("google", "gcm"))
