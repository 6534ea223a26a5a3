"""FCM beyond the contract: one token for all callers, renewed in time; messages, settings, `check`.

Many sends.
"""

import asyncio
import json
import re
from collections import Counter
from contextlib import asynccontextmanager

import pytest

from notistream.domain.outcome import Accepted, Temporary
from notistream.errors import Misconfigured
from notistream.providers.faulty import faulty, refused
from notistream.providers.fcm import FcmSettings
from notistream.providers.google_token import AccessTokens
from notistream.settings.reading import read_settings
from tests.providers.fcm import PROJECT, PUSH, Google, fcm, key_file, pem, provider, refuse
from tests.stack import until

CREDENTIALS = "NOTISTREAM_FCM_CREDENTIALS"


@asynccontextmanager
async def google_and_us(google=None, **settings):
    """The provider, FCM and the token service, each apart."""
    google = google or Google()
    async with faulty(google.token) as tokens, faulty(google.serve, refuse) as vendor:
        yield provider(vendor, tokens, **settings), google, vendor, tokens


async def test_200_at_once_ask_for_one_token():
    google = Google()
    async with fcm(google) as subject:
        results = await asyncio.gather(*(subject.send() for _ in range(200)))
    assert Counter(map(type, results)) == {Accepted: 200}
    assert len(google.issued) == 1


async def test_200_at_once_whose_token_was_revoked_ask_for_one_more():
    google = Google()
    async with fcm(google) as subject:
        await subject.send()
        google.revoked.update(google.issued)
        results = await asyncio.gather(*(subject.send() for _ in range(200)))
        assert {type(result) for result in results} <= {Temporary, Accepted}
        assert isinstance(results[0], Temporary)  # not sent, and not lost: the pipeline tries again
        assert isinstance(await subject.send(), Accepted)
    assert len(google.issued) == 2


async def test_a_token_is_renewed_before_it_ends_and_nobody_waits_for_that():
    """google-auth renews 225 s before a token ends: one of 200 s is good and renewed at once."""
    google = Google(lifetime_s=200)
    async with google_and_us(google) as (ours, _, vendor, tokens):
        await ours.send(PUSH)
        # The renewal fails; the token that is still good is used.
        google.token_fault = refused(503)
        for _ in range(20):
            await ours.send(PUSH)
        await until(lambda: len(tokens.keys) == 2, what="the renewal")
        for _ in range(20):
            await ours.send(PUSH)
        assert vendor.accepted.total() == 41
        assert (len(google.issued), len(tokens.keys)) == (1, 2)  # not once more for each message
        await ours.aclose()


async def test_the_renewed_token_is_used():
    google = Google(lifetime_s=200)
    async with google_and_us(google) as (ours, _, _, _):
        await ours.send(PUSH)
        google.lifetime_s = 3600
        await ours.send(PUSH)
        await until(lambda: len(google.issued) == 2, what="the renewal")
        google.revoked.add(google.issued[0])
        await ours.send(PUSH)
        await ours.aclose()


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (
            refused(400, "invalid_grant"),
            f"{CREDENTIALS} is refused by the token service (invalid_grant)",
        ),
        (
            refused(401, "invalid_client"),
            f"{CREDENTIALS} is refused by the token service (invalid_client)",
        ),
        (refused(503, "x"), "the token service does not answer (HTTP 503)"),
        (refused(429, "x"), "the token service does not answer (HTTP 429)"),
    ],
)
async def test_without_a_token_nothing_was_sent(fault, reason):
    google = Google(token_fault=fault)
    async with fcm(google) as subject:
        results = await asyncio.gather(*(subject.send() for _ in range(50)))
        assert Counter(results) == {Temporary(reason): 50}
        google.token_fault = None
        assert isinstance(await subject.send(), Accepted)
    assert len(google.messages) == 1


async def test_a_token_service_that_is_not_there_loses_nothing():
    async with fcm(token_url="http://127.0.0.1:1/token") as subject:
        assert await subject.send() == Temporary(
            "the token service does not answer (no connection: ClientConnectorError)"
        )


async def test_a_caller_that_gives_up_does_not_end_the_renewal_of_the_others():
    class Credentials:
        token, expiry, valid = None, None, False
        started = asyncio.Event()

        def refresh(self, _request):
            loop.call_soon_threadsafe(self.started.set)
            asyncio.run_coroutine_threadsafe(go_on.wait(), loop).result()
            self.token, self.valid = "renewed", True

    loop, go_on, credentials = asyncio.get_running_loop(), asyncio.Event(), Credentials()
    tokens = AccessTokens(credentials, setting=CREDENTIALS, timeout_s=5)
    first, second = (asyncio.create_task(tokens.get()) for _ in range(2))
    await credentials.started.wait()
    first.cancel()
    go_on.set()
    assert await second == "renewed"
    await tokens.aclose()


async def test_the_message_that_a_device_gets():
    async with google_and_us(ttl_s=600) as (ours, google, _, _):
        receipt = await ours.send(PUSH)
        await ours.aclose()
    (message,) = google.messages
    key = PUSH.idempotency_key
    expiration = message["apns"]["headers"].pop("apns-expiration")
    assert message == {
        "token": PUSH.recipient,
        "notification": {"title": "Sign in", "body": PUSH.content},
        "data": {"screen": "login", "tries": "3", "notification_id": str(PUSH.notification_id)},
        "android": {"ttl": "600s", "notification": {"tag": key}},
        "apns": {"headers": {"apns-collapse-id": key}},
        "webpush": {"headers": {"TTL": "600"}, "notification": {"tag": key}},
    }
    assert expiration.isdecimal()
    assert receipt.message_id.startswith(f"projects/{PROJECT}/messages/")


@pytest.mark.parametrize(
    ("google", "settings", "state", "words"),
    [
        (Google(), {}, "ok", "accepts the service account"),
        (Google(permitted=False), {}, "failed", "PERMISSION_DENIED"),
        (Google(), {"project_id": "other-project"}, "failed", "PERMISSION_DENIED"),
        (
            Google(token_fault=refused(400, "invalid_grant")),
            {},
            "failed",
            f"{CREDENTIALS} is refused",
        ),
        (Google(token_fault=refused(503)), {}, "warning", "does not answer"),
        (Google(), {"api_url": "http://127.0.0.1:1"}, "warning", "not reachable"),
    ],
)
async def test_check_names_what_is_wrong(google, settings, state, words):
    async with fcm(google, **settings) as subject:
        (found,) = await subject.provider.check()
    assert (found.state, words in found.detail, bool(found.remedy)) == (
        state,
        True,
        state != "ok",
    ), found
    assert not google.messages


def broken(value):
    return json.loads(key_file()) | value


@pytest.mark.parametrize(
    ("credentials", "words"),
    [
        (None, f"{CREDENTIALS} is missing"),
        ("/no/such/file.json", "is the path of no readable file"),
        ("{broken", "is not JSON"),
        (json.dumps({"type": "authorized_user"}), "is not the key of a service account"),
        (
            json.dumps(
                broken(
                    {
                        "private_key": (
                            "-----BEGIN PRIVATE KEY-----\nplanted\n-----END PRIVATE KEY-----"
                        )
                    }
                )
            ),
            "is no usable service account key",
        ),
        (
            json.dumps({"type": "service_account", "private_key": "planted"}),
            "is no usable service account key",
        ),
        (json.dumps(broken({"project_id": None})), "NOTISTREAM_FCM_PROJECT_ID"),
    ],
)
def test_settings_that_are_wrong_are_named(monkeypatch, credentials, words):
    if credentials is not None:
        monkeypatch.setenv(CREDENTIALS, credentials)
    with pytest.raises(Misconfigured, match=re.escape(words)) as refused_:
        read_settings(FcmSettings)
    assert "planted" not in str(refused_.value)
    assert not any(line in str(refused_.value) for line in pem().splitlines()[1:-1])


def test_the_key_may_be_a_file(tmp_path, monkeypatch):
    (tmp_path / "key.json").write_text(key_file())
    monkeypatch.setenv(CREDENTIALS, str(tmp_path / "key.json"))
    assert read_settings(FcmSettings).project == PROJECT
