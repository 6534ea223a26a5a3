"""SES through SNS: signatures of both versions, topics, subscriptions.

And what the events of SES mean.
"""

import json

import aiohttp
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from notistream.domain.receipt import ProviderReceipt, ReceiptState
from notistream.providers import ses_events
from notistream.providers.api import CallbackRefusedError, TemporaryError, UnreadableCallbackError
from tests.providers.sns import (
    AT,
    CERTIFICATE_URL,
    CONFIRM_URL,
    MAIL,
    Web,
    callback,
    certificate,
    envelope,
    event,
    reader,
)


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize("fields", [{}, {"Subject": "Amazon SES"}, {"Message": "zwei\nZeilen ü"}])
async def test_what_sns_signs_is_read(version, fields):
    sent = envelope(version=version, **fields)
    assert await reader().message(callback(sent)) == sent["Message"]


async def test_the_certificate_is_fetched_once():
    web = Web()
    ours = reader(web)
    for _ in range(3):
        await ours.message(callback(envelope()))
    assert web.asked == [CERTIFICATE_URL]


async def test_a_subscription_to_an_allowed_topic_is_confirmed():
    web = Web()
    assert (
        await reader(web).message(callback(envelope(kind="SubscriptionConfirmation", version="2")))
        is None
    )
    assert web.asked == [CERTIFICATE_URL, CONFIRM_URL]


STRANGER = "arn:aws:sns:eu-central-1:999999999999:receipts"


@pytest.mark.parametrize(
    "forged",
    [
        envelope(TopicArn=STRANGER),
        envelope(kind="SubscriptionConfirmation", TopicArn=STRANGER),
        envelope() | {"Message": "changed"},
        envelope() | {"Subject": "added"},
        envelope(version="1") | {"SignatureVersion": "2"},
        envelope(version="3"),
        envelope() | {"Signature": ""},
        envelope() | {"Signature": "%%%"},
        envelope(signing_key=rsa.generate_private_key(public_exponent=65537, key_size=2048)),
        {k: v for k, v in envelope().items() if k != "Signature"},
        {k: v for k, v in envelope().items() if k != "Timestamp"},
        envelope() | {"Type": "Other"},
        envelope() | {"Message": 1},
        {},
        [],
        "x",
        None,
    ],
)
async def test_what_sns_did_not_sign_for_us_is_refused(forged):
    web = Web()
    with pytest.raises(CallbackRefusedError):
        await reader(web).message(callback(forged))
    assert CONFIRM_URL not in web.asked


@pytest.mark.parametrize(
    "url",
    [
        "http://sns.eu-central-1.amazonaws.com/a.pem",
        "https://sns.eu-central-1.amazonaws.com.evil.example/a.pem",
        "https://evil.example/sns.eu-central-1.amazonaws.com",
        "https://sns.eu-central-1.amazonaws.com:8443/a.pem",
        "https://u:p@sns.eu-central-1.amazonaws.com/a.pem",
        "https://evil.example#sns.eu-central-1.amazonaws.com",
        "https://sqs.eu-central-1.amazonaws.com/a.pem",
        "https://bucket.s3.amazonaws.com/a.pem",
        "https://[::1]/a.pem",
        "https://sns.a.b.amazonaws.com/a.pem",
        "https://127.0.0.1/a.pem",
        "//sns.eu-central-1.amazonaws.com/a.pem",
        "",
        "https://[",
        "https://sns.eu-central-1.amazonaws.com\n/a.pem\x00",
    ],
)
async def test_nobody_but_sns_is_asked_for_anything(url):
    for sent in (
        envelope(SigningCertURL=url),
        envelope(kind="SubscriptionConfirmation", SubscribeURL=url),
    ):
        web = Web()
        with pytest.raises(CallbackRefusedError):
            await reader(web).message(callback(sent))
        assert set(web.asked) <= {CERTIFICATE_URL}


async def test_without_topics_everything_is_refused():
    with pytest.raises(CallbackRefusedError, match="topic"):
        await reader(topics=()).message(callback(envelope()))


@pytest.mark.parametrize(
    "pem",
    [
        b"no certificate",
        certificate(days=(-30, -1)),
        certificate(days=(1, 30)),
        certificate(ec.generate_private_key(ec.SECP256R1())),
    ],
)
async def test_a_certificate_that_cannot_be_used_is_refused(pem):
    with pytest.raises(CallbackRefusedError, match="certificate"):
        await reader(Web(pem)).message(callback(envelope()))


@pytest.mark.parametrize("error", [aiohttp.ClientError(), TimeoutError(), OSError()])
async def test_sns_repeats_what_could_not_be_verified(error):
    web = Web(error=error)
    ours = reader(web)
    with pytest.raises(TemporaryError):
        await ours.message(callback(envelope()))
    web.error = None
    assert await ours.message(callback(envelope())) == "hello"


BOUNCED = [
    {
        "emailAddress": "jane@example.com",
        "status": "5.1.1",
        "diagnosticCode": "550 jane@example.com unknown",
    }
]


def receipt(state, detail=None, address=None):
    return ProviderReceipt(message_id="ses-1", state=state, at=AT, detail=detail, address=address)


@pytest.mark.parametrize("name", ["eventType", "notificationType"])
@pytest.mark.parametrize(
    ("kind", "details", "expected"),
    [
        ("Delivery", {"recipients": ["jane@example.com"]}, receipt(ReceiptState.DELIVERED)),
        (
            "Bounce",
            {"bounceType": "Permanent", "bounceSubType": "General", "bouncedRecipients": BOUNCED},
            receipt(ReceiptState.BOUNCED, "Permanent General 5.1.1", "jane@example.com"),
        ),
        (
            "Bounce",
            {
                "bounceType": "Transient",
                "bounceSubType": "MailboxFull",
                "bouncedRecipients": BOUNCED,
            },
            receipt(ReceiptState.UNDELIVERED, "Transient MailboxFull 5.1.1", "jane@example.com"),
        ),
        (
            "Bounce",
            {"bounceType": "Undetermined", "bounceSubType": "Undetermined"},
            receipt(ReceiptState.UNDELIVERED, "Undetermined Undetermined"),
        ),
        (
            "Complaint",
            {
                "complaintFeedbackType": "abuse",
                "complainedRecipients": [{"emailAddress": "jane@example.com"}],
            },
            receipt(ReceiptState.COMPLAINED, "abuse", "jane@example.com"),
        ),
        (
            "DeliveryDelay",
            {"delayType": "MailboxFull", "delayedRecipients": []},
            receipt(ReceiptState.DELAYED, "MailboxFull"),
        ),
        ("Reject", {"reason": "Bad content"}, receipt(ReceiptState.UNDELIVERED, "Bad content")),
        ("Open", {"ipAddress": "192.0.2.1"}, receipt(ReceiptState.READ)),
        ("Click", {"link": "https://example.com"}, receipt(ReceiptState.READ)),
    ],
)
def test_what_an_event_of_ses_means(name, kind, details, expected):
    assert ses_events.read(json.dumps(event(kind, details, name=name))) == (expected,)


def test_an_address_is_taken_only_where_it_is_certain():
    two = [*BOUNCED, {"emailAddress": "joe@example.com"}]
    (found,) = ses_events.read(
        json.dumps(event("Bounce", {"bounceType": "Permanent", "bouncedRecipients": two}))
    )
    assert found.address is None


@pytest.mark.parametrize(
    "message",
    [
        json.dumps(event("Send")),
        json.dumps(event("Rendering Failure", of="failure")),
        json.dumps({"eventType": 1}),
        json.dumps({"notificationType": "AmazonSnsSubscriptionSucceeded"}),
        "{}",
        "Successfully validated SNS topic for Amazon SES event publishing.",
    ],
)
def test_what_is_about_no_delivery_is_left_out(message):
    assert ses_events.read(message) == ()


@pytest.mark.parametrize(
    "message",
    [
        "nonsense",
        "[]",
        "1",
        json.dumps({"eventType": "Bounce"}),
        json.dumps({"eventType": "Bounce", "mail": []}),
        json.dumps({"eventType": "Bounce", "mail": {"messageId": 7}}),
    ],
)
def test_what_ses_does_not_document_is_unreadable(message):
    with pytest.raises(UnreadableCallbackError):
        ses_events.read(message)


@pytest.mark.parametrize(
    "details",
    [
        None,
        [],
        {"bouncedRecipients": "x", "timestamp": 5},
        {"bouncedRecipients": [1, None], "timestamp": "x"},
        {"bounceType": ["Permanent"], "timestamp": "2026-11-25T10:00:00"},
    ],
)
def test_odd_details_leave_the_rest(details):
    (found,) = ses_events.read(json.dumps({"eventType": "Bounce", "mail": MAIL, "bounce": details}))
    assert (found.state, found.at, found.address) == (ReceiptState.UNDELIVERED, None, None)
