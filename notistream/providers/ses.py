"""Amazon SES v2: `SendEmail` with the message as MIME, signed with Signature Version 4."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated

import aiohttp
import orjson
from pydantic import Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from notistream.delivery.ports import Message
from notistream.domain.outcome import Accepted
from notistream.domain.receipt import ProviderReceipt
from notistream.providers import ses_events
from notistream.providers.api import (
    Callback,
    Checked,
    Context,
    PermanentError,
    ProviderSettings,
    TemporaryError,
)
from notistream.providers.aws import Credentials, Signer, StaticKeys
from notistream.providers.http import asked_wait_s, open_session, raise_for_status, read_answer
from notistream.providers.mime import Mail, Mailbox, compose
from notistream.providers.ses_errors import ERRORS, SesError, code_of
from notistream.providers.sns import SnsReader

SEND = "/v2/email/outbound-emails"
ACCOUNT = "/v2/email/account"
TopicArn = Annotated[
    str, Field(pattern=r"^arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_.-]{1,256}$")
]


class SesSettings(ProviderSettings):
    """Region, sender and, unless AWS's own places have them, keys."""

    model_config = SettingsConfigDict(env_prefix="NOTISTREAM_SES_")

    region: str = Field(
        pattern=r"^[a-z0-9-]{3,32}$", description="AWS region of SES, such as eu-central-1."
    )
    sender: Mailbox = Field(
        description=(
            "From of every e-mail, of a verified identity, such as NotiStream"
            " <no-reply@example.com>."
        )
    )
    access_key_id: str | None = Field(
        None,
        description=(
            "Access key. Unset: AWS's own variables, shared files, container or instance role."
        ),
    )
    secret_access_key: SecretStr | None = Field(None, description="Its secret.")
    session_token: SecretStr | None = Field(
        None, description="Its session token, for temporary keys."
    )
    configuration_set: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9_-]{1,64}$",
        description="Configuration set, whose events become receipts.",
    )
    sns_topic_arns: list[TopicArn] = Field(
        default_factory=list,
        description=(
            "SNS topics whose messages to /callbacks/ses are receipts, as JSON: "
            '["arn:aws:sns:eu-central-1:123456789012:receipts"].'
        ),
    )
    endpoint: str | None = Field(
        None,
        pattern=r"^https?://[^/]+/?$",
        description="Address of the API where it is not the region's own.",
    )

    @model_validator(mode="after")
    def _consistent(self) -> "SesSettings":
        if (self.access_key_id is None) != (self.secret_access_key is None):
            raise ValueError(
                "ACCESS_KEY_ID and SECRET_ACCESS_KEY belong together: set both or none"
            )
        if self.session_token and not self.access_key_id:
            raise ValueError("SESSION_TOKEN needs ACCESS_KEY_ID and SECRET_ACCESS_KEY")
        return self

    def keys(self) -> StaticKeys | None:
        """None: they are looked for in AWS's own places."""
        if self.access_key_id is None or self.secret_access_key is None:
            return None
        token = self.session_token.get_secret_value() if self.session_token else None
        return StaticKeys(self.access_key_id, self.secret_access_key.get_secret_value(), token)


class SesProvider:
    """Serves e-mail.

    SES has no idempotency key: the notification's is in a tag, and events carry it back.
    """

    name = "ses"
    channels = frozenset({"email"})
    settings_model = SesSettings

    def __init__(self, settings: SesSettings, context: Context) -> None:
        self._settings = settings
        self._timeout_s = context.timeout_s
        self._base = (settings.endpoint or f"https://email.{settings.region}.amazonaws.com").rstrip(
            "/"
        )
        self._credentials = Credentials(settings.keys())
        self._sns = SnsReader(settings.sns_topic_arns)
        self._signer: Signer | None = None
        self._session: aiohttp.ClientSession | None = None

    async def send(self, message: Message) -> Accepted:
        """One `SendEmail`."""
        mail = compose(message, sender=self._settings.sender, now=datetime.now(UTC))
        if mail.utf8:
            raise PermanentError(
                "SES takes no address with letters before the @ that are not ASCII"
            )
        status, headers, answer = await self._call("POST", SEND, self._body(message, mail))
        self._raise_for(status, headers, answer)
        message_id = answer.get("MessageId") if isinstance(answer, dict) else None
        return Accepted(str(message_id) if message_id else None)

    def _body(self, message: Message, mail: Mail) -> bytes:
        body: dict[str, object] = {
            "Destination": {"ToAddresses": [mail.recipient]},
            "Content": {"Raw": {"Data": b64encode(mail.content).decode()}},
            "EmailTags": [{"Name": "notification_id", "Value": str(message.notification_id)}],
        }
        if self._settings.configuration_set:
            body["ConfigurationSetName"] = self._settings.configuration_set
        return orjson.dumps(body)

    async def _call(
        self, method: str, path: str, body: bytes
    ) -> tuple[int, Mapping[str, str], object]:
        credentials = await self._credentials.current()
        if self._signer is None:
            self._signer = Signer("ses", self._settings.region)
        if self._session is None:
            self._session = open_session(self._base, timeout_s=self._timeout_s)
        url = self._base + path
        headers = self._signer.headers(credentials, method=method, url=url, body=body)
        async with self._session.request(
            method, url, data=body, headers=headers, allow_redirects=False
        ) as response:
            return response.status, response.headers, await read_answer(response)

    def _raise_for(self, status: int, headers: Mapping[str, str], answer: object) -> None:
        """Pass any 2xx.

        Otherwise say what the error means, by its name or, where it is unknown, by its status.
        """
        if 200 <= status < 300:
            return
        code = code_of(headers.get("x-amzn-ErrorType"), answer)
        error = ERRORS.get(code)
        if error is None:
            raise_for_status(status, headers)
            return
        if error.credentials:
            self._credentials.forget()
        reason = _reason(status, code, error)
        if error.refused:
            raise PermanentError(reason)
        wait_s = asked_wait_s(headers)
        raise TemporaryError(
            reason,
            retry_after_s=error.retry_after_s if wait_s is None else wait_s,
            throttled=error.throttled,
        )

    async def receipts(self, callback: Callback) -> Sequence[ProviderReceipt]:
        """Those of an SNS message of one of our topics."""
        message = await self._sns.message(callback)
        return () if message is None else ses_events.read(message)

    async def check(self) -> Sequence[Checked]:
        """Ask for the account: whether the keys are good, and it may send."""
        try:
            status, headers, answer = await self._call("GET", ACCOUNT, b"")
            self._raise_for(status, headers, answer)
        except (TemporaryError, PermanentError) as exc:
            return (Checked("failed", str(exc), "correct NOTISTREAM_SES_…, or the account"),)
        except (aiohttp.ClientError, OSError) as exc:
            return (
                Checked(
                    "warning",
                    f"no connection to {self._base}: {type(exc).__name__}",
                    "correct NOTISTREAM_SES_REGION or NOTISTREAM_SES_ENDPOINT; messages wait"
                    " meanwhile",
                ),
            )
        return tuple(_account(answer if isinstance(answer, dict) else {}))

    async def aclose(self) -> None:
        """Close the pooled connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None


def _reason(status: int, code: str, error: SesError) -> str:
    named = f"; correct NOTISTREAM_SES_{error.setting}" if error.setting else ""
    return f"SES {status} {code}: {error.words}{named}"


def _account(answer: Mapping[str, object]) -> Sequence[Checked]:
    if answer.get("SendingEnabled") is False:
        return [
            Checked(
                "failed", "sending is not enabled for the account", "enable it in the SES console"
            )
        ]
    if answer.get("ProductionAccessEnabled") is False:
        return [
            Checked(
                "warning",
                "the account is in the SES sandbox: it sends to verified addresses only",
                "request production access in the SES console",
            )
        ]
    return [Checked("ok", "the keys are good, and the account may send")]
