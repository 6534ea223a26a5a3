"""Twilio from request to receipt: real processes, a local Twilio, callbacks signed by Twilio's own
library.
"""

from contextlib import asynccontextmanager
from io import BytesIO

import pytest
from twilio.request_validator import RequestValidator

from notistream.providers.faulty import faulty
from tests.providers.case import SMS
from tests.providers.twilio import NUMBER, SID, TOKEN, Account, refuse
from tests.stack import stack

pytestmark = pytest.mark.integration

OURS = "https://notify.example.com/callbacks/twilio"
WRONG = [
    ("POST", "/callbacks/ses", 2, 404),
    ("POST", "/callbacks/console", 0, 404),
    ("GET", "/callbacks/twilio", 0, 405),
    ("POST", "/callbacks/twilio", 0, 403),
    ("POST", "/callbacks/twilio", 1024 * 1024 + 1, 413),
]


@asynccontextmanager
async def twilio_product(endpoints, database_url, topics_prefix, tmp_path):
    """An API and a worker that send SMS through a local Twilio, and how often it was called."""
    async with (
        faulty(Account().serve, refuse) as vendor,
        stack(
            database_url=database_url,
            brokers=endpoints.kafka_brokers,
            prefix=topics_prefix,
            folder=tmp_path,
            PROVIDERS='{"sms": ["twilio"]}',
            TWILIO_ACCOUNT_SID=SID,
            TWILIO_AUTH_TOKEN=TOKEN,
            TWILIO_FROM_NUMBER=NUMBER,
            TWILIO_API_URL=vendor.url,
            TWILIO_STATUS_CALLBACK_URL=OURS,
        ) as product,
    ):
        await product.api()
        await product.worker()
        yield product, vendor


async def call(product, sid, status, *, code="", key, token=TOKEN):
    """Twilio calls; our answer."""
    fields = {"MessageSid": sid, "MessageStatus": status, "ErrorCode": code, "To": SMS.recipient}
    signature = RequestValidator(token).compute_signature(f"{OURS}?key={key}", fields)
    async with product.http.post(
        f"{product.base}/callbacks/twilio?key={key}",
        data=fields,
        headers={"X-Twilio-Signature": signature},
    ) as answer:
        return answer.status


async def test_from_request_to_receipt(endpoints, database_url, topics_prefix, tmp_path):
    """After the first bounce nothing more is sent there."""
    async with twilio_product(endpoints, database_url, topics_prefix, tmp_path) as (
        product,
        vendor,
    ):
        id_ = await product.create(recipient=SMS.recipient, content=SMS.content)
        shown = await product.ended(id_)
        assert (shown["status"], shown["provider"], shown["receipt"]) == (
            "delivered",
            "twilio",
            None,
        )
        sid = shown["provider_message_id"]
        for status, code, key in (
            ("sent", "", id_),
            ("undelivered", "30005", id_),
            ("undelivered", "30005", id_),
            ("sent", "", ""),
        ):
            assert await call(product, sid, status, code=code, key=key) == 204
        assert await call(product, sid, "delivered", key=id_, token="forged") == 403
        assert await call(product, "SMnobody", "sent", key="") == 204
        _, shown = await product.call("GET", f"/api/v1/notifications/{id_}")
        assert (shown["status"], shown["receipt"]["state"]) == ("delivered", "bounced")
        assert shown["receipt"]["detail"] == "Twilio error 30005: Unknown destination handset"
        _, listed = await product.call("GET", "/api/v1/suppressions")
        assert [(s["address"], s["reason"]) for s in listed["data"]] == [(SMS.recipient, "bounce")]
        again = await product.create(recipient=SMS.recipient, content=SMS.content)
        assert (await product.ended(again))["status"] == "suppressed"
        assert vendor.accepted == {id_: 1}
        await figures_and_logs(product)


async def figures_and_logs(product):
    api = product.processes[0]
    for effect, count in (("applied", 2), ("outweighed", 2), ("early", 1), ("unknown", 0)):
        assert (
            await product.metric(api, "notistream_receipts_total", provider="twilio", effect=effect)
            == count
        )
    assert await product.metric(api, "notistream_callbacks_refused_total", provider="twilio") == 1
    for method, path, size, status in WRONG:
        async with product.http.request(
            method, f"{product.base}{path}", data=BytesIO(b"x" * size)
        ) as answer:
            assert answer.status == status, path
    assert not any(
        secret in process.log.read_text()
        for process in product.processes
        for secret in (SMS.recipient, TOKEN)
    )
