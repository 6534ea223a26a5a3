"""The SES provider and a local SES that checks every signature on its own."""

import base64
import json
from contextlib import aclosing, asynccontextmanager
from email import message_from_bytes, policy

from aiohttp import web

from notistream.domain.outcome import Permanent, Temporary
from notistream.providers.api import Context
from notistream.providers.contract import Subject
from notistream.providers.faulty import Taken, faulty, refused
from notistream.providers.ses import SesProvider, SesSettings
from tests.providers import sigv4, sns
from tests.providers.case import Case
from tests.providers.smtp import EMAIL, SENDER

REGION = "eu-central-1"
KEY_ID, SECRET, TOKEN = "AKIDPLANTED", "planted/secret+key", "planted-token"


class Ses:
    """What a faithful SES keeps: its keys, and the mails that it took."""

    def __init__(self, token=None):
        self.keys = {KEY_ID: (SECRET, token)}
        self.mails = []
        self.bodies = []
        self.account = {"SendingEnabled": True, "ProductionAccessEnabled": True}

    async def serve(self, request, body):
        if fault := sigv4.fault(request, body, keys=self.keys, region=REGION, service="ses"):
            return Taken("", error(403, fault), accepted=False)
        if (request.method, request.path) == ("GET", "/v2/email/account"):
            return Taken("", web.json_response(self.account), accepted=False)
        assert (request.method, request.path) == ("POST", "/v2/email/outbound-emails")
        sent = json.loads(body)
        mail = message_from_bytes(
            base64.b64decode(sent["Content"]["Raw"]["Data"], validate=True), policy=policy.SMTP
        )
        self.mails.append(mail)
        self.bodies.append(sent)
        return Taken(
            mail["Message-ID"].strip("<>").partition("@")[0],
            web.json_response({"MessageId": "0100-ses"}),
        )


def error(status, code, headers=()):
    return web.json_response(
        {"message": "planted-words of <ada@example.com>"},
        status=status,
        headers={"x-amzn-ErrorType": f"{code}:http://internal.amazon.com/coral/", **dict(headers)},
    )


def refuse(fault):
    return (
        error(fault.status, fault.code, fault.headers)
        if fault.code
        else web.Response(status=fault.status)
    )


def ses_at(url, **settings):
    return SesProvider(
        SesSettings(
            **{
                "region": REGION,
                "sender": SENDER,
                "endpoint": url,
                "access_key_id": KEY_ID,
                "secret_access_key": SECRET,
                **settings,
            }
        ),
        Context(timeout_s=30),
    )


@asynccontextmanager
async def subject():
    ses = Ses(token=TOKEN)
    async with faulty(ses.serve, refuse) as vendor:
        provider = ses_at(vendor.url, session_token=TOKEN)
        good = dict(ses.keys)
        async with aclosing(provider):
            yield Subject(
                provider=provider,
                vendor=vendor,
                message=EMAIL,
                secrets=[SECRET, TOKEN, "planted-words"],
                expire=lambda: ses.keys.update({KEY_ID: (SECRET, "another")}),
                renew=lambda: ses.keys.update(good),
                throttling=lambda value: refused(
                    429, "TooManyRequestsException", retry_after=value
                ),
                callbacks=sns.callbacks_for(provider),
                refusals=[
                    (
                        refused(400, "MessageRejected"),
                        Permanent("SES 400 MessageRejected: the message contains invalid content"),
                    ),
                    (
                        refused(400, "BadRequestException"),
                        Permanent("SES 400 BadRequestException: the input is invalid"),
                    ),
                    (
                        refused(400, "MailFromDomainNotVerifiedException"),
                        Temporary(
                            "SES 400 MailFromDomainNotVerifiedException: the MAIL FROM domain is"
                            " not verified; correct NOTISTREAM_SES_SENDER"
                        ),
                    ),
                    (
                        refused(400, "AccountSuspendedException"),
                        Temporary(
                            "SES 400 AccountSuspendedException: the account can no longer send"
                            " e-mail"
                        ),
                    ),
                    (
                        refused(400, "SendingPausedException"),
                        Temporary(
                            "SES 400 SendingPausedException: sending is paused for the account"
                        ),
                    ),
                    (
                        refused(429, "TooManyRequestsException"),
                        Temporary(
                            "SES 429 TooManyRequestsException: too many requests", throttled=True
                        ),
                    ),
                    (
                        refused(400, "Throttling"),
                        Temporary("SES 400 Throttling: too many requests", throttled=True),
                    ),
                    (
                        refused(400, "LimitExceededException"),
                        Temporary(
                            "SES 400 LimitExceededException: a limit of the account is reached",
                            900.0,
                            throttled=True,
                        ),
                    ),
                    (
                        refused(404, "NotFoundException"),
                        Temporary(
                            "SES 404 NotFoundException: the configuration set does not exist; "
                            "correct NOTISTREAM_SES_CONFIGURATION_SET"
                        ),
                    ),
                    (
                        refused(403, "AccessDeniedException"),
                        Temporary(
                            "SES 403 AccessDeniedException: the key may not do ses:SendEmail; "
                            "correct NOTISTREAM_SES_ACCESS_KEY_ID and SECRET_ACCESS_KEY"
                        ),
                    ),
                    (
                        refused(500, "InternalFailure"),
                        Temporary("SES 500 InternalFailure: an unknown error of the service"),
                    ),
                    (refused(503), Temporary("HTTP 503 service unavailable")),
                    (refused(413, "NeverHeardOf"), Permanent("HTTP 413 refused")),
                ],
            )


CASE = Case(subject)
