"""`notistream doctor` with Twilio and FCM: each missing or wrong credential is named in words, and
none is shown.
"""

import asyncio

from notistream.providers.faulty import faulty, refused
from tests.integration.test_doctor import examine
from tests.providers import fcm, twilio

__all__ = ["examine"]

CHOSEN = '{"sms": ["twilio"], "push": ["fcm"], "in_app": ["console"]}'


def credentials(sms, tokens, push):
    return {
        "PROVIDERS": CHOSEN,
        "TWILIO_ACCOUNT_SID": twilio.SID,
        "TWILIO_AUTH_TOKEN": twilio.TOKEN,
        "TWILIO_FROM_NUMBER": twilio.NUMBER,
        "TWILIO_API_URL": sms.url,
        "FCM_CREDENTIALS": fcm.key_file(),
        "TWILIO_STATUS_CALLBACK_URL": f"{twilio.PUBLIC}/callbacks/twilio",
        "FCM_API_URL": push.url,
        "FCM_TOKEN_URL": f"{tokens.url}/token",
    }


def test_what_is_missing_is_named_all_at_once(examine):
    status, found = examine(PROVIDERS=CHOSEN, TWILIO_ACCOUNT_SID=twilio.SID)
    assert status == 1
    for name in ("NOTISTREAM_TWILIO_AUTH_TOKEN", "NOTISTREAM_FCM_CREDENTIALS is missing"):
        assert name in found["providers"]["detail"]


async def test_what_the_vendors_refuse_is_named(examine):
    account, google = (
        twilio.Account(password="rotated"),
        fcm.Google(token_fault=refused(400, "invalid_grant")),
    )
    async with (
        faulty(account.serve) as sms,
        faulty(google.token) as tokens,
        faulty(google.serve) as push,
    ):
        status, found = await asyncio.to_thread(examine, **credentials(sms, tokens, push))
    assert status == 1
    assert (
        "Twilio refuses NOTISTREAM_TWILIO_ACCOUNT_SID with NOTISTREAM_TWILIO_AUTH_TOKEN"
        in found["twilio"]["detail"]
    )
    assert (
        "NOTISTREAM_FCM_CREDENTIALS is refused by the token service (invalid_grant)"
        in found["fcm"]["detail"]
    )
    assert found["twilio"]["remedy"]
    assert found["fcm"]["remedy"]
    assert twilio.TOKEN not in str(found)


async def test_what_is_good_is_said_to_be(examine):
    account, google = twilio.Account(), fcm.Google()
    async with (
        faulty(account.serve) as sms,
        faulty(google.token) as tokens,
        faulty(google.serve) as push,
    ):
        status, found = await asyncio.to_thread(examine, **credentials(sms, tokens, push))
    assert (status, found["twilio"]["state"], found["fcm"]["state"]) == (0, "ok", "ok")
    assert not sms.accepted
    assert not push.accepted
