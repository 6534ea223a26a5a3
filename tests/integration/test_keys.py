"""Tenants and their keys over HTTP and the command line, on a real PostgreSQL."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from click.testing import CliRunner

from notistream.access import authentication, key_usage
from notistream.access.failed_logins import FailedLogins
from notistream.commands import cli
from notistream.commands.seed import DEMO_RECIPIENT, seed_tenant
from notistream.db import tenants
from notistream.runtime import Runtime
from notistream.web.tenants.routes import TENANTS
from tests.integration.test_api_contract import NOTIFICATIONS, SMS, serving
from tests.stack import until
from tests.unit.web_fakes import Client, pointers, problem_of

pytestmark = pytest.mark.integration

TOKEN = "test-admin-token-0123456789"
ADMIN = {"X-Admin-Token": TOKEN}
BASE = "/internal/tenants"


@dataclass
class Office:
    """An administrator at a running API."""

    client: Client
    runtime: Runtime

    async def call(self, method: str, path: str, body: Any = None, *, status: int) -> Any:
        answer = await self.client.request(
            method, path, headers=ADMIN, **({} if body is None else {"json": body})
        )
        assert answer.status == status, await answer.text()
        return None if status == 204 else await answer.json()

    async def refused(
        self, method: str, path: str, body: Any = None, *, status: int
    ) -> dict[str, Any]:
        answer = await self.client.request(
            method, path, headers=ADMIN, **({} if body is None else {"json": body})
        )
        return await problem_of(answer, status)

    async def tenant(self, name: str = "acme") -> str:
        return str((await self.call("POST", BASE, {"name": name}, status=201))["id"])

    async def issue(self, tenant: str, **wanted: Any) -> dict[str, Any]:
        made: dict[str, Any] = await self.call(
            "POST", f"{BASE}/{tenant}/api-keys", {"name": "k", **wanted}, status=201
        )
        return made

    async def status(self, key: str) -> int:
        return (await self.client.get(NOTIFICATIONS, headers={"X-API-Key": key})).status

    async def log(self) -> list[tuple[str, str, str]]:
        rows = await self.runtime.database.fetch(
            "SELECT actor, action, target FROM audit_log ORDER BY id"
        )
        return [(row["actor"], row["action"], row["target"]) for row in rows]


@pytest.fixture
def _no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a key is allowed is asked for every request, so that tests need not wait five seconds."""
    monkeypatch.setattr(authentication, "CACHED_S", 0.0)


@pytest.fixture
async def office(database_url: str, _no_cache: None) -> AsyncIterator[Office]:
    async with serving(database_url, auth="on", admin_token=TOKEN) as (client, runtime):
        yield Office(client, runtime)


async def test_a_tenant_is_made_shown_and_listed(office: Office) -> None:
    answer = await office.client.post(BASE, json={"name": "acme"}, headers=ADMIN)
    made = await answer.json()
    assert (answer.status, answer.headers["Location"]) == (201, f"{BASE}/{made['id']}")
    assert made.keys() == {"id", "name", "created_at"}
    assert await office.call("GET", f"{BASE}/{made['id']}", status=200) == made
    assert (await office.refused("POST", BASE, {"name": "acme"}, status=409))[
        "code"
    ] == "tenant_exists"
    await office.tenant("other")
    page = await office.call("GET", f"{BASE}?page_size=1", status=200)
    assert [tenant["name"] for tenant in page["data"]] == ["other"]
    rest = await office.call("GET", f"{BASE}?page_size=1&cursor={page['next_cursor']}", status=200)
    assert (rest["data"], rest["next_cursor"]) == ([made], None)
    assert (await office.log())[0] == ("admin", "tenant.create", made["id"])


@pytest.mark.parametrize("name", ["", " ", " a", "a ", "a\n", "a\0", "x" * 101, None, 1])
async def test_what_is_no_name_is_refused(office: Office, name: Any) -> None:
    assert pointers(await office.refused("POST", BASE, {"name": name}, status=422)) == ["/name"]
    if name is not None:
        path = f"{BASE}/{await office.tenant()}/api-keys"
        assert pointers(await office.refused("POST", path, {"name": name}, status=422)) == ["/name"]


async def test_a_key_is_shown_once_and_works(office: Office) -> None:
    tenant = await office.tenant()
    made = await office.issue(tenant, name="checkout")
    key = made.pop("key")
    assert made.pop("api_key") == key
    assert key.startswith(made["prefix"])
    assert {
        name: made[name]
        for name in ("tenant_id", "name", "kind", "expires_at", "last_used_at", "revoked_at")
    } == {
        "tenant_id": tenant,
        "name": "checkout",
        "kind": "live",
        "expires_at": None,
        "last_used_at": None,
        "revoked_at": None,
    }
    assert await office.status(key) == 200
    listed = await office.call("GET", f"{BASE}/{tenant}/api-keys", status=200)
    assert listed == {"data": [made], "next_cursor": None}
    assert key not in str(
        [dict(r) for r in await office.runtime.database.fetch("SELECT * FROM api_keys")]
    )
    assert key not in str(
        [dict(r) for r in await office.runtime.database.fetch("SELECT * FROM audit_log")]
    )


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"name": "k", "kind": "gold"}, "/kind"),
        ({"name": "k", "expires_at": "2020-01-01T00:00:00Z"}, "/expires_at"),
        ({"name": "k", "expires_at": "tomorrow"}, "/expires_at"),
        ({"name": "k", "scopes": []}, "/scopes"),
    ],
)
async def test_a_wrong_key_is_not_issued(office: Office, body: Any, place: str) -> None:
    tenant = await office.tenant()
    assert pointers(
        await office.refused("POST", f"{BASE}/{tenant}/api-keys", body, status=422)
    ) == [place]


async def test_the_body_may_be_left_out(office: Office) -> None:
    tenant = await office.tenant()
    made = await office.call("POST", f"{BASE}/{tenant}/api-keys", status=201)
    assert (made["name"], made["kind"]) == ("default", "live")


async def test_who_is_not_there(office: Office) -> None:
    tenant, other = await office.tenant(), await office.tenant("other")
    key = await office.issue(tenant)
    nobody = "01970000-0000-7000-8000-000000000001"
    for place in (nobody, "x"):
        await office.refused("GET", f"{BASE}/{place}", status=404)
        await office.refused("GET", f"{BASE}/{place}/api-keys", status=404)
        await office.refused("POST", f"{BASE}/{place}/api-keys", {"name": "k"}, status=404)
        await office.refused("DELETE", f"{BASE}/{tenant}/api-keys/{place}", status=404)
        await office.refused("POST", f"{BASE}/{tenant}/api-keys/{place}/rotate", status=404)
    await office.refused("DELETE", f"{BASE}/{other}/api-keys/{key['id']}", status=404)
    await office.refused("POST", f"{BASE}/{other}/api-keys/{key['id']}/rotate", status=404)
    assert await office.status(key["key"]) == 200


async def test_a_revoked_key_stops(office: Office) -> None:
    tenant = await office.tenant()
    key, other = await office.issue(tenant), await office.issue(tenant)
    assert await office.status(key["key"]) == 200
    for _ in range(2):
        await office.call("DELETE", f"{BASE}/{tenant}/api-keys/{key['id']}", status=204)
    assert await office.status(key["key"]) == 401
    assert await office.status(other["key"]) == 200
    assert (await office.log())[-1] == ("admin", "key.revoke", key["prefix"])
    assert [action for _, action, _ in await office.log()].count("key.revoke") == 1
    await office.refused("POST", f"{BASE}/{tenant}/api-keys/{key['id']}/rotate", status=409)


async def test_an_expired_key_stops_though_it_is_remembered(database_url: str) -> None:
    """A key is remembered for five seconds, but not longer than it lasts."""
    async with serving(database_url, auth="on", admin_token=TOKEN) as (client, runtime):
        office = Office(client, runtime)
        tenant = await office.tenant()
        key = await office.issue(
            tenant, expires_at=(datetime.now(UTC) + timedelta(seconds=2)).isoformat()
        )
        assert await office.status(key["key"]) == 200

        async def ended() -> bool:
            return await office.status(key["key"]) == 401

        await until(ended, what="the key to expire", patience_s=4)


async def test_a_revoked_key_is_remembered_for_five_seconds_at_most(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(database_url, auth="on", admin_token=TOKEN) as (client, runtime):
        office = Office(client, runtime)
        tenant = await office.tenant()
        key = await office.issue(tenant)
        assert await office.status(key["key"]) == 200
        await office.call("DELETE", f"{BASE}/{tenant}/api-keys/{key['id']}", status=204)
        clock = authentication.time.monotonic
        monkeypatch.setattr(
            authentication.time, "monotonic", lambda: clock() + authentication.CACHED_S
        )
        assert await office.status(key["key"]) == 401


async def test_rotation_lets_both_keys_work_for_the_overlap(office: Office) -> None:
    tenant = await office.tenant()
    old = await office.issue(tenant, name="checkout", kind="test")
    path = f"{BASE}/{tenant}/api-keys/{old['id']}/rotate"
    new = await office.call("POST", path, status=201)
    assert new["key"] == new["api_key"] != old["key"]
    assert (new["name"], new["kind"], new["expires_at"]) == ("checkout", "test", None)
    assert [await office.status(key["key"]) for key in (old, new)] == [200, 200]
    shown = {
        k["id"]: k
        for k in (await office.call("GET", f"{BASE}/{tenant}/api-keys", status=200))["data"]
    }
    assert shown[old["id"]]["replaced_by"] == new["id"]
    left = datetime.fromisoformat(shown[old["id"]]["expires_at"]) - datetime.now(UTC)
    assert timedelta(hours=23) < left < timedelta(hours=25)
    assert (await office.refused("POST", path, status=409))["code"] == "key_ended"
    last = await office.call(
        "POST", f"{BASE}/{tenant}/api-keys/{new['id']}/rotate", {"overlap_s": 0}, status=201
    )
    assert [await office.status(key["key"]) for key in (old, new, last)] == [200, 401, 200]
    assert (await office.log())[-1] == ("admin", "key.rotate", last["prefix"])


async def test_a_new_key_lives_as_long_as_the_old_one_was_meant_to(office: Office) -> None:
    tenant = await office.tenant()
    old = await office.issue(
        tenant, expires_at=(datetime.now(UTC) + timedelta(hours=2)).isoformat()
    )
    new = await office.call(
        "POST", f"{BASE}/{tenant}/api-keys/{old['id']}/rotate", {"overlap_s": 86_400}, status=201
    )
    lives = datetime.fromisoformat(new["expires_at"]) - datetime.fromisoformat(new["created_at"])
    assert abs(lives - timedelta(hours=2)) < timedelta(seconds=30)
    shown = {
        k["id"]: k
        for k in (await office.call("GET", f"{BASE}/{tenant}/api-keys", status=200))["data"]
    }
    assert shown[old["id"]]["expires_at"] == old["expires_at"], (
        "an overlap never makes a key live longer"
    )
    given = await office.call(
        "POST",
        f"{BASE}/{tenant}/api-keys/{new['id']}/rotate",
        {"expires_at": "2099-01-01T00:00:00Z"},
        status=201,
    )
    assert given["expires_at"] == "2099-01-01T00:00:00Z"
    for body, place in (
        ({"overlap_s": -1}, "/overlap_s"),
        ({"overlap_s": 10**9}, "/overlap_s"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "/expires_at"),
    ):
        path = f"{BASE}/{tenant}/api-keys/{given['id']}/rotate"
        assert pointers(await office.refused("POST", path, body, status=422)) == [place]


async def test_last_use_is_written_behind_the_request(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_usage, "LOOKS_EVERY_S", 0.05)
    tenant = await office.tenant()
    key, unused = await office.issue(tenant), await office.issue(tenant)
    path = f"{BASE}/{tenant}/api-keys"
    assert await office.status(key["key"]) == 200

    async def used() -> dict[str, Any]:
        return {
            k["id"]: k["last_used_at"] for k in (await office.call("GET", path, status=200))["data"]
        }

    async def written() -> bool:
        return bool((await used())[key["id"]])

    await until(written, what="the use to be written")
    first = await used()
    assert first[unused["id"]] is None
    for _ in range(5):
        assert await office.status(key["key"]) == 200
    await office.runtime.authentication.key_usage.flush()
    assert await used() == first, "not again within the minute"


@pytest.mark.parametrize(("kind", "test"), [("live", False), ("test", True)])
async def test_what_a_test_key_sends_says_so(office: Office, kind: str, test: bool) -> None:
    key = await office.issue(await office.tenant(), kind=kind)
    headers = {"X-API-Key": key["key"]}
    assert key["key"].startswith(f"ns_{kind}_")
    made = await (await office.client.post(NOTIFICATIONS, json=SMS, headers=headers)).json()
    shown = await (await office.client.get(f"{NOTIFICATIONS}/{made['id']}", headers=headers)).json()
    assert made["test"] is shown["test"] is test
    batch = await office.client.post(
        f"{NOTIFICATIONS}/batch", json={"notifications": [SMS]}, headers=headers
    )
    assert (await batch.json())["notifications"][0]["test"] is test


async def test_who_guesses_is_locked_out_and_who_knows_is_not(office: Office) -> None:
    office.runtime.authentication.failed_logins = FailedLogins(allowed=5)
    key = await office.issue(await office.tenant())
    assert [await office.status(f"ns_live_{n:043}") for n in range(5)] == [401] * 5
    answer = await office.client.get(NOTIFICATIONS, headers={"X-API-Key": "x"})
    assert (await problem_of(answer, 429))["code"] == "too_many_requests"
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    assert (await office.client.get(BASE, headers={"X-Admin-Token": "x"})).status == 429
    assert await office.status(key["key"]) == 200
    assert (await office.client.get(BASE, headers=ADMIN)).status == 200


@pytest.mark.parametrize("route", TENANTS, ids=lambda r: f"{r.method} {r.path}")
async def test_documented_examples_work(office: Office, route: Any) -> None:
    tenant = await office.tenant("beginning")
    key = await office.issue(tenant)
    path = route.path.format(id=tenant, key_id=key["id"])
    good = [status for status in route.operation.answers if status < 400]
    for body in route.operation.body.examples.values() if route.operation.body else [None]:
        answer = await office.client.request(
            route.method, path, headers=ADMIN, **({} if body is None else {"json": body})
        )
        assert answer.status in good, await answer.text()


# The command line


@pytest.fixture
def run(office: Office, database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Any:
    """Run a command on the office's database, in a thread of its own, because it has its own event
    loop.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NOTISTREAM_DATABASE_URL", database_url)
    monkeypatch.setenv("NOTISTREAM_KAFKA_BROKERS", "127.0.0.1:1")

    async def command(*words: str, status: int = 0) -> str:
        result = await asyncio.to_thread(CliRunner().invoke, cli, words)
        assert result.exit_code == status, result.output
        return result.output.strip()

    return command


async def test_keys_on_the_command_line(office: Office, run: Any) -> None:
    tenant = json.loads(await run("tenants", "create", "acme", "--json"))
    assert tenant["created"]
    assert not json.loads(await run("tenants", "create", "acme", "--json"))["created"]
    key = await run("keys", "issue", "acme")
    assert await office.status(key) == 200
    made = json.loads(
        await run(
            "keys",
            "issue",
            tenant["id"],
            "--name",
            "ci",
            "--kind",
            "test",
            "--expires",
            "90d",
            "--json",
        )
    )
    assert made["key"].startswith("ns_test_")
    assert datetime.fromisoformat(made["expires_at"]) - datetime.now(UTC) > timedelta(days=89)
    listed = json.loads(await run("keys", "list", "acme", "--json"))
    assert [k["name"] for k in listed] == ["ci", "cli"]
    assert all("key" not in k for k in listed)
    assert made["prefix"] in await run("keys", "list", "acme")
    new = await run("keys", "rotate", key, "--overlap", "0s")
    assert [await office.status(k) for k in (key, new)] == [401, 200]
    assert await run("keys", "revoke", made["id"]) == "revoked"
    assert await run("keys", "revoke", new) == "revoked"
    assert [await office.status(k) for k in (made["key"], new)] == [401, 401]
    assert "revoked" in await run("keys", "list", "acme")
    assert [line[:2] for line in await office.log()] == [
        ("cli", action)
        for action in (
            "tenant.create",
            "key.issue",
            "key.issue",
            "key.rotate",
            "key.revoke",
            "key.revoke",
        )
    ]
    for words in (
        ("keys", "issue", "nobody"),
        ("keys", "list", "nobody"),
        ("keys", "revoke", "ns_live_nothing"),
        ("keys", "rotate", new),
        ("keys", "issue", "acme", "--expires", "2020-01-01"),
    ):
        assert "error: " in await run(*words, status=1)
    assert "span" in await run("keys", "issue", "acme", "--expires", "soon", status=2)


async def test_seeding_twice_leaves_one_lasting_key(office: Office, run: Any) -> None:
    first = await run("seed")
    key = _key_in(first)
    assert f"recipient {DEMO_RECIPIENT}" in first
    assert "welcome (email)" in first
    assert await office.status(key) == 200
    second = await run("seed")
    assert "The tenant was there" in second
    assert [await office.status(k) for k in (key, _key_in(second))] == [200, 200]
    demo = await tenants.get_by_name(office.runtime.database, "demo")
    assert demo is not None
    keys = await tenants.list_keys(office.runtime.database, demo.id, before=None, limit=10)
    assert [k.expires_at is None for k in keys] == [True, False]
    new, issued = await seed_tenant(office.runtime.database, "fresh")
    assert new
    assert await office.status(issued.secret) == 200


def _key_in(output: str) -> str:
    return next(line.split()[1] for line in output.splitlines() if line.startswith("X-API-Key: "))
