"""SES beyond the contract: where keys come from, who renews them, what the request carries, what
`check` says.
"""

import asyncio
import base64
from contextlib import asynccontextmanager
from email import message_from_bytes, policy

import pytest

from notistream.domain.outcome import Accepted, Permanent, Temporary
from notistream.providers import aws, guard
from notistream.providers.faulty import faulty, refused
from notistream.providers.ses_errors import ERRORS, code_of
from tests.providers import sigv4
from tests.providers.ses import KEY_ID, SECRET, Ses, refuse, ses_at
from tests.providers.test_smtp import fresh


@asynccontextmanager
async def running(**settings):
    ses = Ses()
    async with faulty(ses.serve, refuse) as vendor:
        provider = ses_at(vendor.url, **settings)
        try:
            yield ses, vendor, provider
        finally:
            await provider.aclose()


async def send(provider, message=None):
    return await guard.call(provider, message or fresh(), timeout_s=5.0)


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """AWS's own places are empty but for a file of this test's."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    return tmp_path / "credentials"


def own_places(secret=SECRET):
    return f"[default]\naws_access_key_id = {KEY_ID}\naws_secret_access_key = {secret}\n"


async def test_keys_are_found_in_awss_own_places_and_looked_for_anew_once_refused(elsewhere):
    elsewhere.write_text(own_places())
    async with running(access_key_id=None, secret_access_key=None) as (ses, _, provider):
        assert isinstance(await send(provider), Accepted)
        ses.keys[KEY_ID] = ("rotated", None)
        assert await send(provider) == Temporary(
            "SES 403 SignatureDoesNotMatch: the signature is wrong, or the clock; "
            "correct NOTISTREAM_SES_ACCESS_KEY_ID and SECRET_ACCESS_KEY"
        )
        elsewhere.write_text(own_places("rotated"))
        assert isinstance(await send(provider), Accepted)


async def test_without_any_keys_messages_wait_and_check_says_so(elsewhere):
    async with running(access_key_id=None, secret_access_key=None) as (_, _, provider):
        result = await send(provider)
        assert isinstance(result, Temporary)
        assert "NOTISTREAM_SES_ACCESS_KEY_ID" in result.reason
        (finding,) = await provider.check()
        assert (finding.state, "no AWS credentials" in finding.detail) == ("failed", True)


async def test_keys_that_end_are_renewed_by_one_caller(monkeypatch):
    class Ending:
        renewals = 0
        ended = True

        def refresh_needed(self):
            return self.ended

        def get_frozen_credentials(self):
            if self.ended:
                Ending.renewals += 1
                self.ended = False
            return aws.StaticKeys(KEY_ID, SECRET)

    ending = Ending()
    monkeypatch.setattr(aws, "_look", lambda: ending)
    async with running(access_key_id=None, secret_access_key=None) as (_, vendor, provider):
        assert all(
            isinstance(r, Accepted)
            for r in await asyncio.gather(*(send(provider) for _ in range(50)))
        )
        ending.ended = True
        assert all(
            isinstance(r, Accepted)
            for r in await asyncio.gather(*(send(provider) for _ in range(50)))
        )
    assert (Ending.renewals, vendor.accepted.total()) == (2, 100)


async def test_what_the_request_carries():
    async with running(configuration_set="events") as (ses, _, provider):
        message = fresh()
        assert await send(provider, message) == Accepted("0100-ses")
    (sent,) = ses.bodies
    assert sent["Destination"] == {"ToAddresses": ["ada@example.com"]}
    assert sent["ConfigurationSetName"] == "events"
    assert sent["EmailTags"] == [{"Name": "notification_id", "Value": str(message.notification_id)}]
    mail = message_from_bytes(base64.b64decode(sent["Content"]["Raw"]["Data"]), policy=policy.SMTP)
    assert (mail["From"], mail["Message-ID"]) == (
        "NotiStream <no-reply@example.com>",
        f"<{message.idempotency_key}@example.com>",
    )


async def test_an_address_that_is_not_ascii_before_the_at_is_refused():
    async with running() as (_, vendor, provider):
        assert isinstance(await send(provider, fresh(recipient="jörg@example.com")), Permanent)
        assert isinstance(await send(provider, fresh(recipient="ada@müller.example")), Accepted)
    assert vendor.accepted.total() == 1


@pytest.mark.parametrize(
    ("account", "state", "words"),
    [
        ({"SendingEnabled": True, "ProductionAccessEnabled": True}, "ok", "may send"),
        ({"SendingEnabled": True, "ProductionAccessEnabled": False}, "warning", "sandbox"),
        ({"SendingEnabled": False, "ProductionAccessEnabled": True}, "failed", "not enabled"),
    ],
)
async def test_check_asks_for_the_account(account, state, words):
    async with running() as (ses, vendor, provider):
        ses.account = account
        (finding,) = await provider.check()
        assert (finding.state, words in finding.detail) == (state, True)
        vendor.play(refused(403, "AccessDeniedException"))
        assert "ses:SendEmail" in (await provider.check())[0].detail
    assert vendor.accepted.total() == 0


async def test_check_of_an_address_where_nobody_listens():
    provider = ses_at("http://127.0.0.1:1")
    (finding,) = await provider.check()
    await provider.aclose()
    assert (finding.state, "127.0.0.1:1" in finding.detail) == ("warning", True)


@pytest.mark.parametrize(
    ("header", "answer", "code"),
    [
        ("MessageRejected:http://internal.amazon.com/coral/", {}, "MessageRejected"),
        ("Throttling", None, "Throttling"),
        (None, {"__type": "com.amazonaws.ses#BadRequestException"}, "BadRequestException"),
        (None, {"code": "X"}, "X"),
        (None, None, ""),
        (None, [1], ""),
        ("", {}, ""),
    ],
)
def test_the_name_of_an_error(header, answer, code):
    assert code_of(header, answer) == code


def test_every_error_says_whether_the_message_waits():
    assert all(
        not (row.refused and (row.throttled or row.credentials or row.setting))
        for row in ERRORS.values()
    )


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({}, None),
        ({"body": b"{}"}, "SignatureDoesNotMatch"),
        ({"keys": {}}, "UnrecognizedClientException"),
        ({"keys": {KEY_ID: ("other", None)}}, "SignatureDoesNotMatch"),
        ({"keys": {KEY_ID: (SECRET, "token")}}, "ExpiredTokenException"),
        ({"region": "us-east-1"}, "InvalidSignatureException"),
        ({"service": "sns"}, "InvalidSignatureException"),
    ],
)
async def test_the_verifier_of_these_tests_refuses_what_aws_would(change, fault):
    seen = []

    async def serve(request, body):
        seen.append(
            sigv4.fault(
                request,
                **{
                    "body": body,
                    "keys": {KEY_ID: (SECRET, None)},
                    "region": "eu-central-1",
                    "service": "ses",
                    **change,
                },
            )
        )
        return await Ses().serve(request, body)

    async with faulty(serve) as vendor:
        provider = ses_at(vendor.url)
        await send(provider)
        await provider.aclose()
    assert seen == [fault]


def test_the_verifier_agrees_with_awss_published_example():
    """Of the documentation of Signature Version 4: GET ListUsers of IAM, 30 August 2015."""
    request = (
        "GET\n/\nAction=ListUsers&Version=2010-05-08\n"
        "content-type:application/x-www-form-urlencoded; charset=utf-8\nhost:iam.amazonaws.com\n"
        "x-amz-date:20150830T123600Z\n\ncontent-type;host;x-amz-date\n"
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    )
    assert (
        sigv4.signature(
            "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
            "20150830T123600Z",
            "20150830/us-east-1/iam/aws4_request",
            request,
        )
        == "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
    )
