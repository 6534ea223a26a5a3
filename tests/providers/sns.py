"""What SNS posts, signed as SNS signs; and events of SES."""

import base64
import json
from datetime import UTC, datetime, timedelta
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

from notistream.domain.receipt import ProviderReceipt, ReceiptState
from notistream.providers.api import Callback
from notistream.providers.contract import Callbacks
from notistream.providers.sns import SnsReader

TOPIC = "arn:aws:sns:eu-central-1:123456789012:receipts"
CERTIFICATE_URL = "https://sns.eu-central-1.amazonaws.com/SimpleNotificationService-abc.pem"
CONFIRM_URL = (
    f"https://sns.eu-central-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=t"
)
AT, STAMP = datetime(2026, 11, 25, 10, tzinfo=UTC), "2026-11-25T10:00:00.000Z"
TEXTS = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": (
        "Message",
        "MessageId",
        "SubscribeURL",
        "Timestamp",
        "Token",
        "TopicArn",
        "Type",
    ),
}


@cache
def key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def certificate(signing_key=None, *, days=(-1, 30)):
    signing_key = signing_key or key()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(signing_key.public_key())
        .serial_number(1)
        .not_valid_before(now + timedelta(days[0]))
        .not_valid_after(now + timedelta(days[1]))
        .sign(signing_key, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )


def envelope(message="hello", *, version="1", kind="Notification", signing_key=None, **changes):
    """Signed as SNS signs, written from its documentation."""
    fields = {
        "Type": kind,
        "MessageId": "m-1",
        "TopicArn": TOPIC,
        "Message": message,
        "Timestamp": STAMP,
        "SignatureVersion": version,
        "SigningCertURL": CERTIFICATE_URL,
        **({} if kind == "Notification" else {"SubscribeURL": CONFIRM_URL, "Token": "t"}),
        **changes,
    }
    text = "".join(f"{name}\n{fields[name]}\n" for name in TEXTS[kind] if name in fields)
    digest = {"1": hashes.SHA1, "2": hashes.SHA256}.get(version, hashes.SHA256)()
    signature = (signing_key or key()).sign(text.encode(), padding.PKCS1v15(), digest)
    return fields | {"Signature": base64.b64encode(signature).decode()}


def callback(fields):
    return Callback(headers={}, body=json.dumps(fields).encode())


class Web:
    """What SNS serves: its certificate, and confirmations."""

    def __init__(self, pem=None, error=None):
        self.pem, self.error, self.asked = pem or certificate(), error, []

    async def fetch(self, url):
        self.asked.append(url)
        if self.error:
            raise self.error
        return self.pem


def reader(web=None, topics=(TOPIC,)):
    return SnsReader(topics, fetch=(web or Web()).fetch)


MAIL = {"messageId": "ses-1", "destination": ["jane@example.com"], "timestamp": STAMP}


def event(kind, details=None, *, name="eventType", of=None):
    return {
        name: kind,
        "mail": MAIL,
        (of or kind[0].lower() + kind[1:]): {"timestamp": STAMP, **(details or {})},
    }


def callbacks_for(provider):
    """Those of the contract; the provider is made to trust our topic and certificate."""
    provider._sns = reader()
    told = json.dumps(event("Delivery"))
    return Callbacks(
        genuine=callback(envelope(told, version="2")),
        receipts=[ProviderReceipt(message_id="ses-1", state=ReceiptState.DELIVERED, at=AT)],
        forged=[
            callback(envelope(told) | {"Message": "{}"}),
            callback(envelope(told, TopicArn=TOPIC + "x")),
            Callback(headers={}, body=b"{}"),
        ],
    )
