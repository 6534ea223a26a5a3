"""Twilio beyond the contract: what `check` says, settings, and status callbacks with their
signature.
"""

import re
from dataclasses import replace

import pytest
from multidict import CIMultiDict

from notistream.domain.receipt import ProviderReceipt, ReceiptState
from notistream.errors import Misconfigured
from notistream.providers.api import (
    Callback,
    CallbackRefusedError,
    Context,
    UnreadableCallbackError,
)
from notistream.providers.twilio import TwilioProvider, TwilioSettings
from notistream.providers.twilio_callbacks import STATES, signature
from notistream.settings.reading import read_settings
from tests.providers.twilio import (
    KEY_SECRET,
    KEY_SID,
    NUMBER,
    PUBLIC,
    SERVICE,
    SID,
    STATUS,
    TOKEN,
    Account,
    provider,
    signed,
    twilio,
)

URL = f"{PUBLIC}/callbacks/twilio"


async def test_a_messaging_service_sends_in_place_of_a_number():
    account = Account(sender=("MessagingServiceSid", SERVICE))
    async with twilio(account, from_number=None, messaging_service_sid=SERVICE) as subject:
        assert (await subject.send()).message_id.startswith("SM")


async def test_an_api_key_is_used_in_place_of_the_token():
    async with twilio(
        Account(KEY_SID, KEY_SECRET), api_key_sid=KEY_SID, api_key_secret=KEY_SECRET
    ) as subject:
        assert (await subject.send()).message_id.startswith("SM")
        assert [found.state for found in await subject.provider.check()] == ["ok"]


@pytest.mark.parametrize(
    ("account", "settings", "found"),
    [
        (Account(), {}, [("ok", "accepts the credentials")]),
        (
            Account(password="other"),
            {},
            [("failed", "refuses NOTISTREAM_TWILIO_ACCOUNT_SID with NOTISTREAM_TWILIO_AUTH_TOKEN")],
        ),
        (
            Account(KEY_SID, "other"),
            {"api_key_sid": KEY_SID, "api_key_secret": KEY_SECRET},
            [("failed", "NOTISTREAM_TWILIO_API_KEY_SECRET (HTTP 401)")],
        ),
        (
            Account(),
            {"account_sid": "AC" + "f" * 32},
            [("failed", "NOTISTREAM_TWILIO_ACCOUNT_SID")],
        ),
        (Account(status="suspended"), {}, [("failed", "the account is suspended")]),
        (
            Account(numbers=()),
            {},
            [("warning", "NOTISTREAM_TWILIO_FROM_NUMBER is not among the numbers")],
        ),
        (Account(numbers=()), {"from_number": "Acme"}, [("ok", "accepts")]),
        (
            Account(KEY_SID, KEY_SECRET),
            {"api_key_sid": KEY_SID, "api_key_secret": KEY_SECRET, "auth_token": None},
            [("ok", "accepts"), ("warning", "receipts are refused")],
        ),
        (Account(), {"api_url": "http://127.0.0.1:1"}, [("warning", "not reachable")]),
    ],
)
async def test_check_names_what_is_wrong(account, settings, found):
    async with twilio(account, **settings) as subject:
        checks = await subject.provider.check()
    assert [check.state for check in checks] == [state for state, _ in found]
    assert all(words in check.detail for check, (_, words) in zip(checks, found, strict=True)), (
        checks
    )
    assert all(bool(check.remedy) == (check.state != "ok") for check in checks)


async def test_check_says_that_receipts_have_nowhere_to_go():
    async with twilio() as subject:
        lone = provider(subject.vendor)
        lone._callback_url = None
        checks = await lone.check()
        await lone.aclose()
    assert [check.state for check in checks] == ["ok", "warning"]
    assert "NOTISTREAM_PUBLIC_URL" in checks[1].remedy


@pytest.mark.parametrize(
    ("env", "named"),
    [
        ({}, "ACCOUNT_SID"),
        ({"ACCOUNT_SID": "AC1"}, "NOTISTREAM_TWILIO_ACCOUNT_SID"),
        ({"ACCOUNT_SID": SID}, "set NOTISTREAM_TWILIO_AUTH_TOKEN"),
        (
            {"ACCOUNT_SID": SID, "AUTH_TOKEN": TOKEN},
            "FROM_NUMBER and NOTISTREAM_TWILIO_MESSAGING_SERVICE_SID",
        ),
        (
            {"ACCOUNT_SID": SID, "API_KEY_SID": KEY_SID, "FROM_NUMBER": NUMBER},
            "API_KEY_SECRET go together",
        ),
    ],
)
def test_settings_that_are_missing_are_named(monkeypatch, env, named):
    for name, value in env.items():
        monkeypatch.setenv(f"NOTISTREAM_TWILIO_{name}", value)
    with pytest.raises(Misconfigured, match=re.escape(named)) as refused:
        read_settings(TwilioSettings)
    assert TOKEN not in str(refused.value)


@pytest.mark.parametrize(
    ("caller", "published"),
    [
        ("+14158675309", "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
        ("+12349013030", "0/KCTR6DLpKmkAf8muzZqo1nDgQ="),
    ],
)
def test_the_signature_is_that_of_the_published_example(caller, published):
    fields = {
        "CallSid": "CA1234567890ABCDE",
        "Caller": caller,
        "Digits": "1234",
        "From": caller,
        "To": "+18005551212",
    }
    assert (
        signature("https://mycompany.com/myapp.php?foo=1&bar=2", list(fields.items()), "12345")
        == published
    )


def receiver(url=None, token=TOKEN):
    settings = TwilioSettings(
        account_sid=SID, auth_token=token, from_number=NUMBER, status_callback_url=url
    )
    return TwilioProvider(settings, Context(public_url=PUBLIC))


def callback(fields=STATUS, *, query="key=k", url=URL, sign=TOKEN, header=None):
    made = signed(fields, query=query, url=url, token=sign)
    return made if header is None else replace(made, headers={"X-Twilio-Signature": header})


@pytest.mark.parametrize(
    "fields",
    [
        STATUS,
        {**STATUS, "Body": "a=b&c=%20ü😀", "Empty": ""},
        {**STATUS, "z": "1", "Z": "2", "a": "+"},
    ],
)
@pytest.mark.parametrize("query", ["", "key=k", "key=a%3A2&x=y"])
async def test_what_twilio_signs_is_accepted(fields, query):
    (receipt,) = await receiver().receipts(callback(fields, query=query))
    assert (receipt.message_id, receipt.state, receipt.address) == (
        "SM1",
        ReceiptState.DELIVERED,
        "+905551234567",
    )
    assert receipt.key == {"": None, "key=k": "k", "key=a%3A2&x=y": "a:2"}[query]


@pytest.mark.parametrize(
    ("ours", "signed"),
    [
        ("https://a.example/cb", "https://a.example:443/cb"),
        ("https://a.example:8443/cb", "https://a.example/cb"),
        ("http://a.example/cb", "http://a.example:80/cb"),
    ],
)
async def test_the_port_may_be_signed_or_not(ours, signed):
    assert await receiver(url=ours).receipts(callback(url=signed, query=""))


@pytest.mark.parametrize(
    "forged",
    [
        callback(sign="another token"),
        callback(header=""),
        callback(header="ü"),
        callback(header="\udcff"),
        Callback(headers=callback().headers, body=b"", query="\udcff"),
        callback(url=f"{URL}/x"),
        Callback(headers=callback().headers, body=callback().body, query="key=other"),
        Callback(headers=callback().headers, body=callback().body + b"&x=1", query="key=k"),
        Callback(headers=callback().headers, body=b"\xff", query="key=k"),
        Callback(headers=callback().headers, body=b"&".join([b"a=1"] * 500), query="key=k"),
        Callback(headers=CIMultiDict(), body=b""),
    ],
)
async def test_what_is_not_signed_by_twilio_is_refused(forged):
    with pytest.raises(CallbackRefusedError):
        await receiver().receipts(forged)


async def test_without_the_auth_token_nothing_can_be_verified():
    keyed = TwilioSettings(
        account_sid=SID, api_key_sid=KEY_SID, api_key_secret=KEY_SECRET, from_number=NUMBER
    )
    with pytest.raises(CallbackRefusedError, match="AUTH_TOKEN"):
        await TwilioProvider(keyed, Context(public_url=PUBLIC)).receipts(callback())


@pytest.mark.parametrize(
    ("status", "code", "state", "detail"),
    [
        ("queued", "", None, None),
        ("accepted", "", None, None),
        ("sending", "", None, None),
        ("new-word", "", None, None),
        ("sent", "", ReceiptState.SENT, None),
        ("delivered", "", ReceiptState.DELIVERED, None),
        ("read", "", ReceiptState.READ, None),
        (
            "undelivered",
            "30003",
            ReceiptState.UNDELIVERED,
            "Twilio error 30003: Unreachable destination handset",
        ),
        (
            "undelivered",
            "30005",
            ReceiptState.BOUNCED,
            "Twilio error 30005: Unknown destination handset",
        ),
        (
            "failed",
            "21614",
            ReceiptState.BOUNCED,
            "Twilio error 21614: 'To' number is not a valid mobile number",
        ),
        ("failed", "12345", ReceiptState.UNDELIVERED, "Twilio error 12345: see its documentation"),
        ("failed", "x", ReceiptState.UNDELIVERED, None),
    ],
)
async def test_what_a_status_means(status, code, state, detail):
    found = await receiver().receipts(
        callback({**STATUS, "MessageStatus": status, "ErrorCode": code})
    )
    assert found == (
        ()
        if state is None
        else (
            ProviderReceipt(
                message_id="SM1", state=state, detail=detail, address="+905551234567", key="k"
            ),
        )
    )


def test_every_status_that_twilio_documents_is_in_the_table():
    assert STATES.keys() == {
        "accepted",
        "scheduled",
        "queued",
        "sending",
        "sent",
        "delivered",
        "read",
        "undelivered",
        "failed",
        "canceled",
    }


async def test_signed_and_yet_unreadable():
    with pytest.raises(UnreadableCallbackError, match="MessageSid"):
        await receiver().receipts(callback({"SmsSid": "SM1"}))
