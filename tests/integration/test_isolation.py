"""Isolation: every route, with tenant B's key against tenant A's objects.

Nothing is there, nothing leaks.
"""

import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote
from uuid import UUID

import pytest
from aiohttp import ClientResponse
from yarl import URL

from notistream.access.failed_logins import FailedLogins
from notistream.db import sandbox, tenants
from notistream.delivery.ports import Message
from notistream.runtime import Runtime
from notistream.web.openapi.document import PATH_PARAMETER
from notistream.web.server.parameters import V1
from notistream.web.server.route import Route
from tests.integration.planted import (
    OF_ITS_OWN,
    PLACES,
    PUBLIC,
    QUERIES,
    REACHES,
    SECRET,
    SOCKETS,
    Planted,
)
from tests.integration.test_api_contract import serving
from tests.unit.web_fakes import SERVED, Client, problem_of

pytestmark = pytest.mark.integration

ADMIN_TOKEN = "test-admin-token-0123456789"
NOTIFICATIONS = f"{V1}/notifications"
TENANT_ROUTES = [
    route for route in SERVED if not route.public and not route.admin and route.guard is None
]
ADMIN_ROUTES = [route for route in SERVED if route.admin]
CONSOLE_ROUTES = [route for route in SERVED if route.guard]
STORED = "SELECT to_jsonb(t)::text AS row FROM {table} t WHERE tenant_id = $1 ORDER BY 1"


REFUSED = {"token": [401]}
"""Query parameters that B is refused for at once; with others, A's object in the path is not there.
"""
NOTHING = Planted(
    notification="", unknown="", batch="", template="", inbox="", webhook="", delivery=""
)


def named(route: Route) -> str:
    return f"{route.method} {route.path}"


@dataclass
class World:
    """Two tenants, and what the first one has."""

    client: Client
    runtime: Runtime
    a: Planted
    a_tenant: str
    keys: Mapping[str, Mapping[str, str]]

    async def call(
        self, who: str, method: str, path: str, body: Any = None, **headers: str
    ) -> ClientResponse:
        options = {} if body is None else {"json": body}
        if "/inbox" in path:
            headers["X-Recipient-ID"] = self.a.recipient
        return await self.client.request(
            method,
            URL(path, encoded=True),
            headers={**self.keys[who], **headers},
            allow_redirects=False,
            **options,
        )

    async def made(self, method: str, path: str, body: Any) -> dict[str, Any]:
        """What A makes."""
        answer = await self.call("a", method, path, body)
        assert answer.status < 300, await answer.text()
        shown: dict[str, Any] = await answer.json() if answer.status != 204 else {}
        return shown

    async def refused(self, answer: ClientResponse, statuses: list[int]) -> None:
        """The answer has one of these statuses, and nothing of A's."""
        text = await answer.text()
        assert answer.status in statuses, text
        everything = text + str(answer.headers)
        assert SECRET not in everything
        assert self.a_tenant not in everything

    async def of_a(self) -> dict[str, list[str]]:
        """Every row that A has, as text."""
        rows = await self.runtime.database.fetch(
            "SELECT table_name FROM information_schema.columns WHERE column_name = 'tenant_id' "
            "AND table_schema = 'public' AND table_name <> 'api_keys'"
        )
        found = {}
        for name in sorted(row["table_name"] for row in rows):
            stored = await self.runtime.database.fetch(STORED.format(table=name), self.a_tenant)
            found[name] = [row["row"] for row in stored]
        return found


async def _plant(world: World) -> Planted:
    """Give A something of everything."""
    names = NOTHING
    template = await world.made(
        "POST",
        f"{V1}/templates",
        {
            "name": names.template_name,
            "channel": "email",
            "subject": SECRET,
            "body": f"{SECRET} {{{{ x }}}}",
        },
    )
    await world.made(
        "PUT",
        f"{V1}/recipients/{names.recipient}",
        {
            "email": f"{SECRET}@example.com",
            "push_tokens": [names.token],
            "locale": "tr",
            "timezone": "Asia/Kabul",
        },
    )
    await world.made(
        "PUT",
        f"{V1}/recipients/{names.recipient}/preferences",
        {"channels": {"email": {"enabled": False}}, "categories": {SECRET: False}},
    )
    await world.made(
        "PUT", f"{V1}/suppressions", {"channel": "email", "address": names.address, "note": SECRET}
    )
    message = {
        "channel": "sms",
        "recipient": names.phone,
        "recipient_id": names.recipient,
        "content": SECRET,
        "category": names.category,
        "metadata": {"m": SECRET},
    }
    one = await world.made("POST", NOTIFICATIONS, {**message, "idempotency_key": names.key})
    unknown = await world.made("POST", NOTIFICATIONS, {**message, "on_unknown": "hold"})
    await world.runtime.database.fetch(
        "UPDATE notifications SET status = 'unknown' WHERE id = $1", unknown["id"]
    )
    batch = await world.made(
        "POST",
        f"{NOTIFICATIONS}/batch",
        {
            "notifications": [
                message,
                {
                    "channel": "email",
                    "recipient": names.address,
                    "template_id": names.template_name,
                    "template_variables": {"x": SECRET},
                },
            ]
        },
    )
    webhook = await world.made(
        "POST",
        f"{V1}/webhooks",
        {"url": f"https://{SECRET}.example.com/hook", "description": SECRET},
    )
    delivery = await world.made("POST", f"{V1}/webhooks/{webhook['id']}/test", None)
    kept = await world.runtime.inbox.keep(
        Message(
            notification_id=UUID(one["id"]),
            tenant_id=UUID(world.a_tenant),
            channel="in_app",
            recipient=names.recipient,
            recipient_id=names.recipient,
            subject=SECRET,
            content=SECRET,
            idempotency_key=one["id"],
        )
    )
    await sandbox.keep(
        world.runtime.database,
        Message(
            notification_id=UUID(one["id"]),
            tenant_id=UUID(world.a_tenant),
            channel="sms",
            recipient=names.phone,
            subject=SECRET,
            content=SECRET,
            idempotency_key=one["id"],
        ),
        "delivered",
    )
    return replace(
        names,
        notification=one["id"],
        unknown=unknown["id"],
        batch=batch["batch"]["id"],
        template=template["id"],
        webhook=webhook["id"],
        delivery=delivery["id"],
        inbox=str(kept),
    )


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    async with serving(database_url, auth="on", admin_token=ADMIN_TOKEN, jwt_secret="s" * 32) as (
        client,
        runtime,
    ):
        runtime.authentication.failed_logins = FailedLogins(allowed=10_000)
        keys, ids = {}, {}
        for name in "ab":
            tenant, _ = await tenants.create(runtime.database, name)
            issued = await runtime.tenancy.issue(
                tenant.id, name="k", kind="live", expires_at=None, actor="cli"
            )
            keys[name], ids[name] = {"X-API-Key": issued.secret}, str(tenant.id)
        found = World(client, runtime, NOTHING, ids["a"], keys)
        found.a = await _plant(found)
        yield found


def path_of(route: Route, a: Planted) -> str:
    """The path with A's objects in it."""
    wanted = PATH_PARAMETER.findall(route.path)
    known = PLACES.get(route.path, {})
    if missing := [name for name in wanted if name not in known]:
        pytest.fail(
            f"{named(route)}: say in PLACES of tests/integration/planted.py which object of A"
            f" {missing} name"
        )
    values = {
        name: source[1:] if source[0] == "=" else getattr(a, source)
        for name, source in known.items()
    }
    return re.sub(PATH_PARAMETER, lambda found: quote(values[found[1]], safe=""), route.path)


def reaches_of(route: Route, a: Planted) -> list[tuple[Any, list[int]]]:
    """Bodies with the right statuses; without a body, 404 or what is B's own."""
    reach = REACHES.get((route.method, route.path))
    if reach is not None:
        return [(body, list(statuses)) for body, statuses in reach(a)]
    if route.operation is not None and route.operation.body is not None:
        pytest.fail(
            f"{named(route)}: say in REACHES of tests/integration/planted.py how B would ask for"
            " A's objects"
        )
    if route.path in SOCKETS:
        return [(None, [426])]
    own = (route.method, route.path) in OF_ITS_OWN or not PATH_PARAMETER.search(route.path)
    return [(None, [200] if own else [404])]


@pytest.mark.parametrize("route", TENANT_ROUTES, ids=named)
async def test_nothing_of_a_is_there_for_b(world: World, route: Route) -> None:
    before, path = await world.of_a(), path_of(route, world.a)
    for body, statuses in reaches_of(route, world.a):
        answer = await world.call("b", route.method, path, body)
        await world.refused(answer, statuses)
        shown = await answer.json() if answer.status == 200 else {}
        assert shown.get("data", []) == [] or (route.method, route.path) in OF_ITS_OWN
        assert shown.get("recalled", 0) == shown.get("too_late", 0) == 0
    assert await world.of_a() == before


@pytest.mark.parametrize(
    "route", [r for r in TENANT_ROUTES if r.operation and r.operation.query], ids=named
)
async def test_no_filter_and_no_cursor_reaches_a(world: World, route: Route) -> None:
    assert route.operation is not None
    before, path = await world.of_a(), path_of(route, world.a)
    bodies = [
        (body, list(s))
        for body, s in REACHES.get((route.method, route.path), lambda _: [(None, [])])(world.a)
    ]
    for parameter in route.operation.query:
        if parameter.name not in QUERIES:
            pytest.fail(
                f"{named(route)}: say in QUERIES of tests/integration/planted.py what B would ask"
                f" for with {parameter.name!r}"
            )
        for value in QUERIES[parameter.name](world.a):
            for body, statuses in bodies:
                answer = await world.call(
                    "b", route.method, f"{path}?{parameter.name}={quote(value, safe='')}", body
                )
                await world.refused(
                    answer, [200, 422, *statuses, *REFUSED.get(parameter.name, [404, 426])]
                )
                if answer.status == 200:
                    assert (await answer.json())["data"] == []
    assert await world.of_a() == before


async def test_a_key_of_idempotency_is_each_tenants_own(world: World) -> None:
    body = {"channel": "sms", "recipient": "+905000000001", "content": "x"}
    first = await world.call(
        "a", "POST", NOTIFICATIONS, {**body, "content": SECRET}, **{"Idempotency-Key": "same"}
    )
    again = await world.call("b", "POST", NOTIFICATIONS, body, **{"Idempotency-Key": "same"})
    assert (first.status, again.status) == (202, 202)
    assert "Idempotency-Replayed" not in again.headers
    await world.refused(again, [202])


async def test_what_b_makes_with_as_names_finds_nothing_of_a(world: World) -> None:
    """A message to the recipient that A calls the same goes to nobody's address, and shows none."""
    a = world.a
    for channel in ("email", "push", "sms"):
        made = await (
            await world.call(
                "b",
                "POST",
                NOTIFICATIONS,
                {"channel": channel, "recipient_id": a.recipient, "content": "of b"},
            )
        ).json()
        for path in (f"{NOTIFICATIONS}/{made['id']}", f"{NOTIFICATIONS}/{made['id']}/trace"):
            await world.refused(await world.call("b", "GET", path), [200])
        preview = await world.call(
            "b",
            "POST",
            f"{NOTIFICATIONS}/preview",
            {"channel": channel, "recipient_id": a.recipient, "content": "of b"},
        )
        await world.refused(preview, [200])
    figures = await (await world.call("b", "GET", f"{V1}/metrics")).json()
    assert all(
        channel["sent"] == channel["failed"] == 0 for channel in figures["channels"].values()
    )


async def test_a_still_sees_all_that_is_its_own(world: World) -> None:
    """The suite would also pass against a product that shows nobody anything."""
    for route in TENANT_ROUTES:
        if route.method == "GET":
            answer = await world.call("a", "GET", path_of(route, world.a))
            wanted = 426 if route.path in SOCKETS else 200
            assert answer.status == wanted, (named(route), await answer.text())
    assert (
        SECRET
        in await (await world.call("a", "GET", f"{NOTIFICATIONS}/{world.a.notification}")).text()
    )


async def test_without_a_key_or_with_a_wrong_one_nothing_answers(world: World) -> None:
    wrong = [
        {},
        {"X-API-Key": "x" * 40},
        {"X-API-Key": world.keys["a"]["X-API-Key"][:-1] + "!"},
        {"X-Admin-Token": ADMIN_TOKEN},
    ]
    for route in TENANT_ROUTES:
        for headers in wrong:
            answer = await world.client.request(
                route.method, URL(path_of(route, world.a), encoded=True), headers=headers, json={}
            )
            assert (await problem_of(answer, 401))["code"] == "unauthorized", named(route)


async def test_without_the_admin_token_nothing_internal_answers(world: World) -> None:
    for route in ADMIN_ROUTES:
        path = PATH_PARAMETER.sub(world.a.notification, route.path)
        for headers in ({}, {"X-Admin-Token": "x" * 27}, world.keys["a"]):
            answer = await world.client.request(route.method, path, headers=headers, json={})
            assert (await problem_of(answer, 401))["code"] == "unauthorized", named(route)


async def test_a_key_does_not_open_the_console(world: World) -> None:
    for route in CONSOLE_ROUTES:
        response = await world.call(
            "a", route.method, PATH_PARAMETER.sub(world.a.notification, route.path)
        )
        assert response.status == 303, named(route)
        assert response.headers["Location"].startswith("/console/sign-in")


def test_every_public_route_is_known() -> None:
    paths = {route.path for route in SERVED if route.public}
    assert paths <= PUBLIC, (
        "a route without a key must hold nothing of a tenant: name it in PUBLIC of planted.py"
    )
