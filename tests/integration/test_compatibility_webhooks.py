"""What clients of the two earlier systems bring with them: outbound webhooks."""

import pytest

from notistream.domain.webhook import EVENT_TYPES
from tests.integration.test_webhooks import BASE, World, world
from tests.unit.web_fakes import problem_of

pytestmark = pytest.mark.integration
__all__ = ["world"]  # a fixture


async def test_webhook_events(world: World) -> None:
    """Row "webhook events".

    "`notification.delivered`, `.failed`, `.suppressed`, `.cancelled`, `.expired`,
    `device_token.deactivated`; payloads and examples documented; endpoints have GET and PUT by id,
    `is_active`, a caller's own `secret` of 16 characters or more".
    """
    made = await world.call(
        "POST",
        "",
        {
            "url": world.receiver.url,
            "events": list(EVENT_TYPES),
            "is_active": True,
            "secret": "x" * 16,
        },
        status=201,
    )
    assert made["secret"] == "x" * 16
    answer = await world.client.post(BASE, json={"url": world.receiver.url, "secret": "x" * 15})
    await problem_of(answer, 422)
    assert await world.happen(*EVENT_TYPES) == 6
    await world.send()
    assert {call.json["type"] for call in world.receiver.calls} == {
        "notification.delivered",
        "notification.failed",
        "notification.suppressed",
        "notification.cancelled",
        "notification.expired",
        "device_token.deactivated",
    }
    for call in world.receiver.calls:
        call.verify(b"x" * 16)
    assert (await world.call("GET", f"/{made['id']}"))["is_active"] is True
    put = await world.call("PUT", f"/{made['id']}", {"url": world.receiver.url, "is_active": False})
    assert put["is_active"] is False
    assert (await world.call("GET", f"/{made['id']}")) == put
    assert await world.happen("notification.delivered") == 0
