"""Rows of the compatibility table that providers keep."""

import pytest
from aiohttp import web

from notistream.domain.outcome import Accepted
from notistream.providers import guard
from notistream.providers.api import Context
from notistream.providers.faulty import BROKEN_ANSWER, MALFORMED, SERVED, Taken, faulty
from notistream.providers.webhook import WebhookProvider, WebhookSettings
from tests.providers.case import SMS


@pytest.mark.parametrize(
    ("status", "body", "fault", "message_id"),
    [
        (
            200,
            '{"messageId": "abc-1", "status": "accepted", "timestamp": "2026-01-01T00:00:00Z"}',
            SERVED,
            "abc-1",
        ),
        (202, '{"messageId": 7}', SERVED, "7"),
        (201, '{"messageId": null}', SERVED, None),
        (200, "{}", SERVED, None),
        (200, "OK", SERVED, None),
        (200, "[1]", SERVED, None),
        (204, "", SERVED, None),
        (299, "<html>", SERVED, None),
        (200, "{}", MALFORMED, None),
        (200, "{}", BROKEN_ANSWER, None),
    ],
)
async def test_webhook_provider(status, body, fault, message_id):
    """Webhook provider: any 2xx is delivered, whatever the body; `messageId` is kept if given."""

    async def serve(request: web.Request, _body: bytes) -> Taken:
        return Taken(request.headers["Idempotency-Key"], web.Response(status=status, text=body))

    async with faulty(serve) as vendor:
        provider = WebhookProvider(WebhookSettings(url=vendor.url), Context(timeout_s=30))
        vendor.play(fault)
        assert await guard.call(provider, SMS, timeout_s=10.0) == Accepted(message_id)
        await provider.aclose()
