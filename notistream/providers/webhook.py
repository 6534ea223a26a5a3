"""Webhook: POSTs `{"to", "channel", "content"}` to one address; any 2xx means accepted."""

from collections.abc import Sequence

import aiohttp
import orjson
from pydantic import Field
from pydantic_settings import SettingsConfigDict

from notistream.delivery.ports import Message
from notistream.domain.outcome import Accepted
from notistream.providers.api import Checked, Context, ProviderSettings
from notistream.providers.http import (
    checked_connection,
    open_session,
    raise_for_status,
    read_answer,
)


class WebhookSettings(ProviderSettings):
    """Where to POST."""

    model_config = SettingsConfigDict(env_prefix="NOTISTREAM_WEBHOOK_")

    url: str = Field(
        pattern=r"^https?://", description="Address to POST to, such as http://127.0.0.1:9000/hook."
    )


class WebhookProvider:
    """Serves sms, email and push."""

    name = "webhook"
    channels = frozenset({"sms", "email", "push"})
    settings_model = WebhookSettings

    def __init__(self, settings: WebhookSettings, context: Context) -> None:
        self._url = settings.url
        self._timeout_s = context.timeout_s
        self._session: aiohttp.ClientSession | None = None

    async def send(self, message: Message) -> Accepted:
        """POST once; `messageId` of the answer is kept where there is one."""
        if self._session is None:
            self._session = open_session(self._url, timeout_s=self._timeout_s)
        async with self._session.post(
            self._url, data=_body(message), headers=_headers(message), allow_redirects=False
        ) as response:
            raise_for_status(response.status, response.headers)
            answer = await read_answer(response)
        message_id = answer.get("messageId") if isinstance(answer, dict) else None
        return Accepted(str(message_id) if message_id is not None else None)

    async def check(self) -> Sequence[Checked]:
        """Whether the receiver takes connections; messages wait while it does not."""
        return (await checked_connection(self._url, setting="NOTISTREAM_WEBHOOK_URL"),)

    async def aclose(self) -> None:
        """Close the pooled connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None


def _body(message: Message) -> bytes:
    body = {"to": message.recipient, "channel": message.channel, "content": message.content}
    if message.subject is not None:
        body["subject"] = message.subject
    if message.html is not None:
        body["html"] = message.html
    return orjson.dumps(body)


def _headers(message: Message) -> dict[str, str]:
    headers = {"Content-Type": "application/json", "Idempotency-Key": message.idempotency_key}
    if message.correlation_id:
        headers["X-Correlation-ID"] = message.correlation_id
    if message.traceparent:
        headers["traceparent"] = message.traceparent
    return headers
