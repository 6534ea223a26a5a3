"""The webhook provider and a receiver."""

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from uuid import uuid4

import orjson
from aiohttp import web

from notistream.domain.outcome import Permanent, Temporary
from notistream.providers.api import Context
from notistream.providers.contract import Subject
from notistream.providers.faulty import Taken, faulty, refused
from notistream.providers.webhook import WebhookProvider, WebhookSettings
from tests.providers.case import SMS, Case


@asynccontextmanager
async def webhook() -> AsyncIterator[Subject]:
    async def serve(request: web.Request, body: bytes) -> Taken:
        sent = orjson.loads(body)
        assert (sent["to"], sent["channel"], sent["content"]) == (SMS.recipient, "sms", SMS.content)
        return Taken(
            request.headers["Idempotency-Key"],
            web.json_response({"messageId": str(uuid4())}, status=202),
        )

    async with faulty(serve) as vendor:
        provider = WebhookProvider(
            WebhookSettings(url=f"{vendor.url}/hook?key=planted"), Context(timeout_s=30)
        )
        async with aclosing(provider):
            yield Subject(
                provider=provider,
                vendor=vendor,
                message=SMS,
                secrets=["planted"],
                refusals=[
                    (refused(500), Temporary("HTTP 500 internal server error")),
                    (refused(503, retry_after="7"), Temporary("HTTP 503 service unavailable", 7.0)),
                    (refused(429), Temporary("HTTP 429 too many requests", throttled=True)),
                    (refused(400), Permanent("HTTP 400 refused")),
                    (refused(302), Permanent("HTTP 302 refused")),
                ],
            )


CASE = Case(webhook, without={"expiry": "its address has no credentials that a receiver could end"})
