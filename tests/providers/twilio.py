"""The Twilio provider and a Messages API that verifies what Twilio would."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit
from uuid import uuid4

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from twilio.request_validator import RequestValidator

from notistream.domain.outcome import Permanent, Temporary
from notistream.domain.receipt import ProviderReceipt, ReceiptState
from notistream.providers.api import Callback, Context
from notistream.providers.contract import Callbacks, Subject
from notistream.providers.faulty import Fault, FaultyServer, Taken, faulty, refused
from notistream.providers.twilio import TwilioProvider, TwilioSettings
from tests.providers.case import SMS, Case

SID, TOKEN, NUMBER = "AC" + "a" * 32, "planted-auth-token", "+15005550006"
KEY_SID, KEY_SECRET, SERVICE = "SK" + "b" * 32, "planted-key-secret", "MG" + "c" * 32
PUBLIC = "https://notify.example.com"


@dataclass
class Account:
    """A Twilio account: what it accepts, and what its resources say."""

    user: str = SID
    password: str = TOKEN
    status: str = "active"
    sender: tuple[str, str] = ("From", NUMBER)
    numbers: tuple[str, ...] = (NUMBER,)

    async def serve(self, request: web.Request, body: bytes) -> Taken:
        if request.headers.get("Authorization") != aiohttp.encode_basic_auth(
            self.user, self.password
        ):
            return Taken("", error(401, 20003), accepted=False)
        below = request.path.removeprefix(f"/2010-04-01/Accounts/{SID}")
        if request.method == "GET":
            return Taken("", self._resource(below, request.query), accepted=False)
        assert (below, request.content_type) == (
            "/Messages.json",
            "application/x-www-form-urlencoded",
        )
        form = dict(parse_qsl(body.decode(), strict_parsing=True))
        callback = urlsplit(form.pop("StatusCallback"))
        assert form == {"To": SMS.recipient, "Body": SMS.content, self.sender[0]: self.sender[1]}
        assert (
            f"{callback.scheme}://{callback.netloc}{callback.path}" == f"{PUBLIC}/callbacks/twilio"
        )
        sent = {"sid": f"SM{uuid4().hex}", "status": "queued", "error_code": None}
        return Taken(parse_qs(callback.query)["key"][0], web.json_response(sent, status=201))

    def _resource(self, path: str, query: Mapping[str, str]) -> web.Response:
        match path:
            case ".json" if self.user == SID:
                return web.json_response({"sid": SID, "status": self.status})
            case "/Messages.json":
                return web.json_response({"messages": []})
            case "/IncomingPhoneNumbers.json":
                mine = [number for number in self.numbers if number == query["PhoneNumber"]]
                return web.json_response({"incoming_phone_numbers": mine})
            case _:
                return error(404, 20404)


def error(status: int, code: int, headers: Mapping[str, str] | None = None) -> web.Response:
    """An error as Twilio words it; its message repeats the number."""
    return web.json_response(
        {
            "code": code,
            "message": f"The 'To' number {SMS.recipient} …",
            "status": status,
            "more_info": f"https://www.twilio.com/docs/errors/{code}",
        },
        status=status,
        headers=headers,
    )


def refuse(fault: Fault) -> web.Response:
    if not fault.code:
        return web.Response(status=fault.status, headers=fault.headers, text="<html>")
    return error(fault.status, int(fault.code), fault.headers)


def provider(vendor: FaultyServer, **settings: Any) -> TwilioProvider:
    wanted = {
        "account_sid": SID,
        "auth_token": TOKEN,
        "from_number": NUMBER,
        "api_url": vendor.url,
        **settings,
    }
    return TwilioProvider(TwilioSettings(**wanted), Context(timeout_s=30, public_url=PUBLIC))


def signed(
    fields: Mapping[str, str],
    *,
    query: str = "key=k",
    url: str = f"{PUBLIC}/callbacks/twilio",
    token: str = TOKEN,
) -> Callback:
    """As Twilio calls; the signature is made by Twilio's own library."""
    made = RequestValidator(token).compute_signature(f"{url}?{query}" if query else url, fields)
    return Callback(
        headers=CIMultiDict({"x-twilio-signature": made}),
        body=urlencode(fields).encode(),
        query=query,
    )


STATUS = {"MessageSid": "SM1", "MessageStatus": "delivered", "To": SMS.recipient, "AccountSid": SID}
CALLBACKS = Callbacks(
    genuine=signed(STATUS),
    receipts=[
        ProviderReceipt(
            message_id="SM1", state=ReceiptState.DELIVERED, address=SMS.recipient, key="k"
        )
    ],
    forged=[
        signed(STATUS, token="other"),
        replace(signed(STATUS), query="key=x"),
        Callback(headers={}, body=b""),
    ],
)
SETTINGS = "; the account or the sender of NOTISTREAM_TWILIO_… is refused"
REFUSALS = [
    (
        refused(400, "21211"),
        Permanent("Twilio error 21211: Invalid 'To' phone number", dead_address=True),
    ),
    (
        refused(400, "21614"),
        Permanent(
            "Twilio error 21614: 'To' number is not a valid mobile number", dead_address=True
        ),
    ),
    (
        refused(400, "21610"),
        Permanent(
            "Twilio error 21610: Attempt to send to unsubscribed recipient", dead_address=True
        ),
    ),
    (
        refused(400, "21617"),
        Permanent(
            "Twilio error 21617: The concatenated message body exceeds the 1600 character limit"
        ),
    ),
    (refused(400, "99999"), Permanent("Twilio error 99999: refused")),
    (refused(400, "30007"), Permanent("Twilio error 30007: Message filtered")),
    (refused(400, "30003"), Temporary("Twilio error 30003: Unreachable destination handset")),
    (
        refused(400, "30001", retry_after="3"),
        Temporary("Twilio error 30001: Queue overflow", 3.0, throttled=True),
    ),
    (
        refused(400, "21606"),
        Temporary(
            "Twilio error 21606: 'From' phone number is not a valid, message-capable Twilio phone"
            f" number{SETTINGS}"
        ),
    ),
    (refused(401, "20003"), Temporary(f"Twilio error 20003: Authenticate{SETTINGS}")),
    (refused(403), Temporary(f"Twilio error HTTP 403: no access{SETTINGS}")),
    (refused(429, "20429"), Temporary("Twilio error 20429: Too many requests", throttled=True)),
    (refused(429), Temporary("Twilio error HTTP 429: too many requests", throttled=True)),
    (refused(500, "20500"), Temporary("Twilio error 20500: Internal server error")),
    (refused(503, retry_after="7"), Temporary("Twilio error HTTP 503: service unavailable", 7.0)),
]


@asynccontextmanager
async def twilio(account: Account | None = None, **settings: Any) -> AsyncIterator[Subject]:
    account = account or Account()
    good = account.password

    def expire() -> None:
        account.password = "rotated"

    def renew() -> None:
        account.password = good

    async with faulty(account.serve, refuse) as vendor:
        built = provider(vendor, **settings)
        yield Subject(
            provider=built,
            vendor=vendor,
            message=SMS,
            refusals=REFUSALS,
            expire=expire,
            renew=renew,
            throttling=lambda after: refused(429, "20429", retry_after=after),
            callbacks=CALLBACKS,
            secrets=[TOKEN, KEY_SECRET],
        )
        await built.aclose()


CASE = Case(twilio)
