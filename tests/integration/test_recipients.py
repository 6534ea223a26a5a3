"""Recipients, device tokens, preferences and suppressions over the real API and a real PostgreSQL."""

import asyncio
from datetime import timedelta
from typing import Any
from urllib.parse import quote
from uuid import UUID

import asyncpg
import pytest
from aiohttp import ClientResponse
from yarl import URL

from notistream.access.authentication import new_key
from notistream.db import deliveries, queries, tenants
from notistream.delivery.ports import Turn
from notistream.domain.notification import CHANNELS, Claimed
from notistream.domain.preference import FrequencyCap, preferences_from
from notistream.domain.recipient import MAX_TOKENS
from notistream.runtime import Runtime
from notistream.web.preferences import routes as preference_routes
from notistream.web.recipients import routes as recipient_routes
from notistream.web.suppressions import routes as suppression_routes
from tests.integration.test_api_contract import serving
from tests.unit.web_fakes import Client, problem_of

pytestmark = pytest.mark.integration

V1 = "/api/v1"
RECIPIENTS, TOKENS, SUPPRESSIONS = f"{V1}/recipients", f"{V1}/device-tokens", f"{V1}/suppressions"
ANYTHING = {"enabled": True, "quiet_hours": None, "frequency_cap": None}
NIGHT = {"start": "22:00", "end": "08:00"}


async def called(
    client: Client, method: str, path: str, body: Any = None, *, status: int = 200
) -> Any:
    """The answer of a call that must have this status; `path` is sent as it is written."""
    answer = await client.request(
        method, URL(path, encoded=True), **({} if body is None else {"json": body})
    )
    assert answer.status == status, await answer.text()
    return None if status == 204 else await answer.json()


async def tokens_of(client: Client, recipient_id: str) -> list[str]:
    found: list[str] = (await called(client, "GET", f"{RECIPIENTS}/{recipient_id}"))["push_tokens"]
    return found


async def register(client: Client, recipient_id: str, token: str) -> None:
    await called(client, "POST", TOKENS, {"recipient_id": recipient_id, "token": token}, status=201)


@pytest.mark.parametrize("stem", ["recipients", "device_tokens", "preferences", "suppressions"])
async def test_every_query_prepares_on_the_migrated_schema(database_url: str, stem: str) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        for query in queries.load(stem).values():
            await connection.prepare(query)
    finally:
        await connection.close()


@pytest.mark.parametrize(
    "route",
    [
        *recipient_routes.RECIPIENTS,
        *preference_routes.PREFERENCES,
        *suppression_routes.SUPPRESSIONS,
    ],
    ids=lambda r: f"{r.method} {r.path}",
)
async def test_documented_examples_work(client: Client, route: Any) -> None:
    """Each is sent to a recipient and an address that exist, as the examples themselves name them."""
    await called(
        client,
        "PUT",
        f"{RECIPIENTS}/user-123",
        {"push_tokens": ["device-token-user-123"]},
        status=201,
    )
    await called(client, "PUT", f"{V1}/users/user-123/preferences/email", {"enabled": False})
    await called(
        client, "PUT", SUPPRESSIONS, {"channel": "email", "address": "gone@example.com"}, status=201
    )
    path = route.path.format(
        recipient_id="user-123",
        token="device-token-user-123",
        channel="email",
        address="gone@example.com",
    )
    good = [status for status in route.operation.answers if status < 400]
    bodies = route.operation.body.examples.values() if route.operation.body else [None]
    for body in bodies:
        answer = await client.request(
            route.method, path, **({} if body is None else {"json": body})
        )
        assert answer.status in good, await answer.text()


async def test_put_creates_and_then_replaces_a_recipient(client: Client) -> None:
    path = f"{RECIPIENTS}/u-1"
    await problem_of(await client.get(path), 404)
    contact = {
        "email": "A@Example.com",
        "phone": "+905000000001",
        "push_tokens": ["old", "new", "old"],
        "timezone": "Europe/Istanbul",
        "locale": "tr-TR",
    }
    made = await called(client, "PUT", path, contact, status=201)
    assert made == {
        **contact,
        "id": "u-1",
        "push_tokens": ["new", "old"],
        "created_at": made["created_at"],
        "updated_at": made["created_at"],
    }
    assert await called(client, "GET", path) == made
    changed = await called(client, "PUT", path, {"locale": None})
    assert changed == {
        **made,
        "email": None,
        "phone": None,
        "timezone": "UTC",
        "locale": None,
        "updated_at": changed["updated_at"],
    }
    assert changed["updated_at"] > made["updated_at"]
    assert (await called(client, "PUT", path, {"push_tokens": []}))["push_tokens"] == []


STRANGE = [
    "a b",
    "ü/%2F?#&+",
    "{braces}",
    "..%",
    "𝔘𝔫𝔦",
    "x" * 255,
    "ü" * 255,
    "user:1@example.com",
    "-",
    "'; --",
]


@pytest.mark.parametrize("recipient_id", STRANGE)
async def test_any_printable_id_is_an_id(client: Client, recipient_id: str) -> None:
    path = f"{RECIPIENTS}/{quote(recipient_id, safe='')}"
    assert (await called(client, "PUT", path, {}, status=201))["id"] == recipient_id
    assert (await called(client, "GET", path))["id"] == recipient_id
    assert (await called(client, "GET", f"{path}/preferences"))["channels"]["sms"] == ANYTHING
    await register(client, recipient_id, "t")
    await called(client, "PUT", f"{path}/preferences", {"channels": {"sms": {"enabled": False}}})
    assert not (await called(client, "GET", f"{path}/preferences"))["channels"]["sms"]["enabled"]


async def pages(client: Client, path: str, size: int) -> list[list[Any]]:
    """Every page of a list."""
    found, cursor = [], ""
    while cursor is not None:
        page = await called(
            client, "GET", f"{path}{'&' if '?' in path else '?'}page_size={size}{cursor}"
        )
        found.append(page["data"])
        cursor = f"&cursor={page['next_cursor']}" if page["next_cursor"] else None
    return found


async def test_list_walks_through_all_recipients_once(client: Client) -> None:
    ids = [*STRANGE, *(f"u{n}" for n in range(8))]
    for recipient_id in ids:
        await called(client, "PUT", f"{RECIPIENTS}/{quote(recipient_id, safe='')}", {}, status=201)
    found = await pages(client, RECIPIENTS, 5)
    assert [len(page) for page in found] == [5, 5, 5, 3]
    assert sorted(r["id"] for page in found for r in page) == sorted(ids)
    assert [len(page) for page in await pages(client, RECIPIENTS, 18)] == [18]


async def test_registered_token_is_the_newest_and_nobody_elses(client: Client) -> None:
    for token in ("a", "b", "c"):
        await register(client, "ann", token)
    await register(client, "ann", "a")
    assert await tokens_of(client, "ann") == ["b", "c", "a"]
    shown = await called(
        client, "POST", TOKENS, {"user_id": "ben", "token": "c", "platform": "ios"}, status=201
    )
    assert shown == {"token": "c", "recipient_id": "ben", "user_id": "ben", "platform": "ios"}
    assert (await tokens_of(client, "ann"), await tokens_of(client, "ben")) == (["b", "a"], ["c"])


async def test_compatibility_device_tokens(client: Client) -> None:
    await called(
        client,
        "POST",
        TOKENS,
        {"user_id": "ann", "token": "fcm:1", "platform": "android"},
        status=201,
    )
    assert await tokens_of(client, "ann") == ["fcm:1"]
    await called(client, "DELETE", f"{TOKENS}/fcm:1", status=204)
    assert await tokens_of(client, "ann") == []


async def test_registering_leaves_the_contact_alone_and_drops_the_oldest_of_too_many(
    client: Client,
) -> None:
    made = await called(
        client,
        "PUT",
        f"{RECIPIENTS}/ann",
        {
            "email": "a@example.com",
            "timezone": "Asia/Tokyo",
            "push_tokens": [f"t{n}" for n in range(20)],
        },
        status=201,
    )
    assert len(made["push_tokens"]) == MAX_TOKENS
    await register(client, "ann", "t5")
    await register(client, "ann", "t20")
    found = await called(client, "GET", f"{RECIPIENTS}/ann")
    assert found["push_tokens"] == [
        "t1",
        "t2",
        "t3",
        "t4",
        *(f"t{n}" for n in range(6, 20)),
        "t5",
        "t20",
    ]
    assert (found["email"], found["timezone"]) == ("a@example.com", "Asia/Tokyo")
    await called(client, "PUT", f"{RECIPIENTS}/ann", {"phone": "+905000000001"})
    assert len(await tokens_of(client, "ann")) == MAX_TOKENS


async def test_a_token_wanted_by_many_at_once_ends_at_one(client: Client) -> None:
    await asyncio.gather(*(register(client, f"u{n % 10}", f"t{n % 3}") for n in range(60)))
    owned = [t for n in range(10) for t in await tokens_of(client, f"u{n}")]
    assert sorted(owned) == ["t0", "t1", "t2"]


async def test_many_devices_registered_at_once_are_all_kept(client: Client) -> None:
    await asyncio.gather(*(register(client, "ann", f"t{n}") for n in range(MAX_TOKENS)))
    assert sorted(await tokens_of(client, "ann")) == sorted(f"t{n}" for n in range(MAX_TOKENS))


@pytest.mark.parametrize("token", ["plain", "dXN/ZXI+:APA91=", "a b%", "{json}", "ü"])
async def test_tokens_are_forgotten_by_path_and_by_body(client: Client, token: str) -> None:
    path = f"{TOKENS}/{quote(token, safe='')}"
    for call in (("DELETE", path, None), ("DELETE", TOKENS, {"token": token})):
        await register(client, "ann", "other")
        await register(client, "ann", token)
        await called(client, *call, status=204)
        assert await tokens_of(client, "ann") == ["other"]
        answer = await client.request(
            call[0], URL(call[1], encoded=True), **({"json": call[2]} if call[2] else {})
        )
        await problem_of(answer, 404)


async def test_the_longest_token_fits(client: Client) -> None:
    token = "".join(chr(0x4E00 + n) for n in range(4096))
    await register(client, "ann", token)
    assert await tokens_of(client, "ann") == [token]
    await called(client, "DELETE", TOKENS, {"token": token}, status=204)


async def test_preferences_of_a_stranger_are_the_defaults(client: Client) -> None:
    shown = await called(client, "GET", f"{RECIPIENTS}/nobody/preferences")
    assert shown == {"channels": dict.fromkeys(CHANNELS, ANYTHING), "categories": {}}
    await problem_of(await client.get(f"{RECIPIENTS}/nobody"), 404)


async def test_preferences_are_replaced_as_a_whole(api: tuple[Client, Runtime]) -> None:
    client, runtime = api
    path = f"{RECIPIENTS}/ann/preferences"
    wanted = {
        "channels": {
            "email": {
                "enabled": True,
                "quiet_hours": NIGHT,
                "frequency_cap": {"count": 5, "per": "day"},
            },
            "inapp": {"enabled": False},
            "sms": {"frequency_cap": {"count": 1, "per": 525_600}},
            "push": None,
        },
        "categories": {"marketing": False, "a/b~c": True},
    }
    shown = await called(client, "PUT", path, wanted)
    assert shown["channels"] == {
        "email": wanted["channels"]["email"],
        "in_app": {**ANYTHING, "enabled": False},
        "push": ANYTHING,
        "sms": {**ANYTHING, "frequency_cap": {"count": 1, "per": 525_600}},
    }
    assert shown["categories"] == wanted["categories"]
    assert await called(client, "GET", path) == shown
    assert await called(client, "PUT", path, shown) == shown
    row = await runtime.database.fetchrow("SELECT channels, categories FROM preferences")
    found = preferences_from(row["channels"], row["categories"])
    assert found.of("sms").frequency_cap == FrequencyCap(1, 525_600 * 60)
    assert (found.of("email").quiet_hours is None, found.wants("marketing")) == (False, False)
    assert await called(client, "PUT", path, {}) == {
        "channels": dict.fromkeys(CHANNELS, ANYTHING),
        "categories": {},
    }


FLAT = {
    "channel": "email",
    "enabled": True,
    "quiet_hours_start": "22:00",
    "quiet_hours_end": "08:00",
    "frequency_cap": 5,
    "frequency_window_minutes": 90,
    "timezone": "Asia/Kathmandu",
}


async def test_compatibility_user_preferences_are_aliases(client: Client) -> None:
    user, ours = f"{V1}/users/ann/preferences", f"{RECIPIENTS}/ann/preferences"
    await called(
        client,
        "PUT",
        ours,
        {"channels": {"sms": {"enabled": False}}, "categories": {"news": False}},
    )
    shown = await called(client, "PUT", user, FLAT)
    email = {"enabled": True, "quiet_hours": NIGHT, "frequency_cap": {"count": 5, "per": 90}}
    assert (shown["channels"]["email"], shown["timezone"]) == (email, "Asia/Kathmandu")
    assert {"user_id": "ann", **FLAT} in shown["data"]
    assert await called(client, "GET", user) == shown
    found = await called(client, "GET", ours)
    assert found == {"channels": shown["channels"], "categories": {"news": False}}
    assert not found["channels"]["sms"]["enabled"]
    assert (await called(client, "GET", f"{RECIPIENTS}/ann"))["timezone"] == "Asia/Kathmandu"
    await called(client, "DELETE", f"{user}/email", status=204)
    assert (await called(client, "GET", ours))["channels"]["email"] == ANYTHING
    await problem_of(await client.delete(f"{user}/email"), 404)
    await problem_of(await client.delete(f"{V1}/users/nobody/preferences/email"), 404)


async def test_compatibility_user_preferences_come_in_several_shapes(client: Client) -> None:
    user = f"{V1}/users/ann/preferences"
    none = {
        "quiet_hours_start": "",
        "quiet_hours_end": None,
        "frequency_cap": 0,
        "frequency_window_minutes": 0,
        "timezone": "",
    }
    one = await called(client, "PUT", f"{user}/inapp", {**none, "enabled": False})
    assert one["channels"]["in_app"] == {**ANYTHING, "enabled": False}
    assert one["timezone"] == "UTC"
    many = await called(
        client, "PUT", user, {"preferences": [FLAT, {"channel": "push", "enabled": False}]}
    )
    assert [name for name, shown in many["channels"].items() if not shown["enabled"]] == [
        "push",
        "in_app",
    ]
    whole = await called(client, "PUT", user, {"channels": {"sms": {"quiet_hours": NIGHT}}})
    assert [name for name, shown in whole["channels"].items() if shown != ANYTHING] == ["sms"]
    assert whole["timezone"] == "Asia/Kathmandu"
    capped = await called(
        client, "PUT", user, {"channels": {"sms": {"frequency_cap": {"count": 2, "per": "week"}}}}
    )
    assert {
        "channel": "sms",
        "frequency_cap": 2,
        "frequency_window_minutes": 10_080,
    }.items() <= next(row.items() for row in capped["data"] if row["channel"] == "sms")


async def test_channels_set_at_once_are_all_kept(client: Client) -> None:
    user = f"{V1}/users/ann/preferences"
    await asyncio.gather(
        *(called(client, "PUT", f"{user}/{name}", {"enabled": False}) for name in CHANNELS)
    )
    shown = await called(client, "GET", user)
    assert not any(wanted["enabled"] for wanted in shown["channels"].values())


async def test_suppressions(client: Client) -> None:
    entry = {"channel": "email", "address": "Gone@Example.COM", "reason": "bounce", "note": "550"}
    made = await called(client, "PUT", SUPPRESSIONS, entry, status=201)
    assert made == {
        **entry,
        "address": "gone@example.com",
        "category": None,
        "created_at": made["created_at"],
    }
    again = await called(
        client, "PUT", SUPPRESSIONS, {"channel": "email", "address": "gone@example.com"}
    )
    assert again == {**made, "reason": "manual", "note": None}
    assert (await called(client, "GET", f"{SUPPRESSIONS}?address=GONE@example.com"))["data"] == [
        again
    ]
    await called(client, "DELETE", f"{SUPPRESSIONS}/email/GONE%40example.com", status=204)
    await problem_of(await client.delete(f"{SUPPRESSIONS}/email/gone%40example.com"), 404)
    assert (await called(client, "GET", SUPPRESSIONS))["data"] == []


async def test_suppressions_by_path(client: Client) -> None:
    for channel, address in (
        ("sms", "%2B905000000001"),
        ("push", "a%2Fb"),
        ("inapp", "user-1"),
        ("email", "A@b.test"),
    ):
        path = f"{SUPPRESSIONS}/{channel}/{address}"
        assert (await called(client, "PUT", path, status=201))["reason"] == "manual"
        assert (await called(client, "PUT", path, {"reason": "complaint"}))["reason"] == "complaint"
    found = (await called(client, "GET", SUPPRESSIONS))["data"]
    assert [(s["channel"], s["address"]) for s in found] == [
        ("email", "a@b.test"),
        ("in_app", "user-1"),
        ("push", "a/b"),
        ("sms", "+905000000001"),
    ]
    await called(
        client, "DELETE", SUPPRESSIONS, {"channel": "inapp", "address": "user-1"}, status=204
    )
    await problem_of(
        await client.delete(SUPPRESSIONS, json={"channel": "in_app", "address": "user-1"}), 404
    )
    assert [len(page) for page in await pages(client, SUPPRESSIONS, 2)] == [2, 1]


async def test_suppression_list_pages_and_filters(client: Client) -> None:
    for n in range(7):
        await called(
            client, "PUT", SUPPRESSIONS, {"channel": "push", "address": f"T{n}"}, status=201
        )
        await called(
            client, "PUT", SUPPRESSIONS, {"channel": "email", "address": f"T{n}@b.test"}, status=201
        )
    found = [s for page in await pages(client, SUPPRESSIONS, 4) for s in page]
    assert [s["address"] for s in found] == [
        *(f"t{n}@b.test" for n in range(7)),
        *(f"T{n}" for n in range(7)),
    ]
    assert [len(page) for page in await pages(client, f"{SUPPRESSIONS}?channel=push", 4)] == [4, 3]
    for query, count in {
        "address=t3": 0,
        "address=T3": 1,
        "address=T3@B.test": 1,
        "channel=sms": 0,
        "channel=push&address=t3@b.test": 0,
    }.items():
        assert len((await called(client, "GET", f"{SUPPRESSIONS}?{query}"))["data"]) == count, query


async def claimed(runtime: Runtime, notification_id: str) -> Claimed:
    found = await deliveries.claim(
        runtime.database,
        [Turn(UUID(notification_id), 1)],
        owner=0,
        lease=timedelta(seconds=30),
        call_before=1e12,
    )
    return found[UUID(notification_id)]


async def test_what_is_stored_here_is_what_a_claim_finds(api: tuple[Client, Runtime]) -> None:
    client, runtime = api

    async def create(**fields: Any) -> Claimed:
        body = {"channel": "email", "content": "hi", **fields}
        shown = await called(client, "POST", f"{V1}/notifications", body, status=202)
        return await claimed(runtime, shown["id"])

    await called(
        client,
        "PUT",
        f"{RECIPIENTS}/ann",
        {"email": "Ann@Example.com", "timezone": "Asia/Tokyo"},
        status=201,
    )
    await called(
        client,
        "PUT",
        f"{RECIPIENTS}/ann/preferences",
        {
            "channels": {"email": {"quiet_hours": NIGHT}, "sms": {"enabled": False}},
            "categories": {"news": False},
        },
    )
    found = await create(recipient_id="ann")
    assert (found.recipient, found.timezone, found.suppressed) == (
        "Ann@Example.com",
        "Asia/Tokyo",
        None,
    )
    assert found.preferences.of("email").quiet_hours is not None
    assert not found.preferences.of("sms").enabled
    assert not found.preferences.wants("news")
    await called(
        client, "PUT", SUPPRESSIONS, {"channel": "email", "address": "ann@example.com"}, status=201
    )
    assert (await create(recipient_id="ann")).suppressed == "manual"
    assert (await create(recipient="ANN@example.com")).suppressed == "manual"
    await called(client, "DELETE", f"{SUPPRESSIONS}/email/ann@example.com", status=204)
    assert (await create(recipient_id="ann")).suppressed is None


async def test_tenants_do_not_see_each_others_recipients(database_url: str) -> None:
    async with serving(database_url, auth="on") as (client, runtime):
        keys = []
        for name in ("a", "b"):
            tenant, _ = await tenants.create(runtime.database, name)
            key, prefix, hashed = new_key("live")
            await tenants.issue_key(
                runtime.database, tenant.id, name="k", kind="live", prefix=prefix, digest=hashed
            )
            keys.append({"X-API-Key": key})
        mine, other = keys

        async def call(
            method: str, path: str, body: Any = None, headers: Any = other
        ) -> ClientResponse:
            return await client.request(
                method, path, headers=headers, **({} if body is None else {"json": body})
            )

        contact = {"email": "ann@example.com", "push_tokens": ["t"]}
        await call("PUT", f"{RECIPIENTS}/ann", contact, mine)
        await call("PUT", f"{V1}/users/ann/preferences", FLAT, mine)
        await call("PUT", SUPPRESSIONS, {"channel": "email", "address": "ann@example.com"}, mine)
        mine_before = [
            await (await call("GET", path, None, mine)).json()
            for path in (f"{RECIPIENTS}/ann", f"{V1}/users/ann/preferences", SUPPRESSIONS)
        ]

        for method, path, body in (
            ("GET", f"{RECIPIENTS}/ann", None),
            ("DELETE", f"{TOKENS}/t", None),
            ("DELETE", TOKENS, {"token": "t"}),
            ("DELETE", f"{V1}/users/ann/preferences/email", None),
            ("DELETE", f"{SUPPRESSIONS}/email/ann@example.com", None),
            ("DELETE", SUPPRESSIONS, {"channel": "email", "address": "ann@example.com"}),
        ):
            await problem_of(await call(method, path, body), 404)
        for path in (RECIPIENTS, SUPPRESSIONS, f"{SUPPRESSIONS}?address=ann@example.com"):
            assert (await (await call("GET", path)).json())["data"] == [], path
        shown = await (await call("GET", f"{V1}/users/ann/preferences")).json()
        assert (shown["channels"], shown["timezone"]) == (dict.fromkeys(CHANNELS, ANYTHING), "UTC")
        for method, path, body, status in (
            ("POST", TOKENS, {"recipient_id": "ben", "token": "t"}, 201),
            ("PUT", f"{RECIPIENTS}/ann", {}, 201),
            ("PUT", f"{V1}/users/ann/preferences", {"channel": "email", "enabled": False}, 200),
            (
                "PUT",
                SUPPRESSIONS,
                {"channel": "email", "address": "ann@example.com", "reason": "bounce"},
                201,
            ),
        ):
            assert (await call(method, path, body)).status == status, path
        assert mine_before == [
            await (await call("GET", path, None, mine)).json()
            for path in (f"{RECIPIENTS}/ann", f"{V1}/users/ann/preferences", SUPPRESSIONS)
        ]


async def test_without_postgresql_the_answer_is_503() -> None:
    async with serving("postgresql://x@127.0.0.1:1/x") as (client, _):
        for answer in (
            await client.get(RECIPIENTS),
            await client.put(f"{RECIPIENTS}/u", json={}),
            await client.post(TOKENS, json={"recipient_id": "u", "token": "t"}),
            await client.put(f"{V1}/users/u/preferences", json=FLAT),
        ):
            assert (await problem_of(answer, 503))["code"] == "database_unavailable"
