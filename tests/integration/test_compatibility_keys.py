"""Compatibility with clients of the two seeds' systems: tenants and keys.

Each test is a row of the contract.
"""

import pytest

from notistream.db import tenants
from tests.integration.test_api_contract import NOTIFICATIONS, SMS, serving

pytestmark = pytest.mark.integration

TOKEN = "test-admin-token-0123456789"
ADMIN = {"X-Admin-Token": TOKEN}


async def test_x_api_key_while_auth_is_off(database_url: str) -> None:
    """`X-API-Key` while AUTH=off: a valid key selects its tenant, any other is ignored."""
    async with serving(database_url, auth="off", admin_token=TOKEN) as (client, runtime):
        default, _ = await tenants.create(runtime.database, "default")
        acme = await (
            await client.post("/internal/tenants", json={"name": "acme"}, headers=ADMIN)
        ).json()
        issued = await (
            await client.post(
                f"/internal/tenants/{acme['id']}/api-keys",
                json={"name": "k", "kind": "test"},
                headers=ADMIN,
            )
        ).json()
        for headers, tenant, test in (
            ({}, str(default.id), False),
            ({"X-API-Key": issued["key"]}, acme["id"], True),
            ({"X-API-Key": "nonsense"}, str(default.id), False),
            ({"X-API-Key": issued["key"][:-1] + "!"}, str(default.id), False),
        ):
            made = await (await client.post(NOTIFICATIONS, json=SMS, headers=headers)).json()
            assert (made["tenant_id"], made["test"]) == (tenant, test)


async def test_keys(database_url: str) -> None:
    """keys: `{id, key, api_key (same value), prefix, tenant_id, name}`; tenant `{id, name, …}`."""
    async with serving(database_url, auth="on", admin_token=TOKEN) as (client, _):
        acme = await (
            await client.post("/internal/tenants", json={"name": "acme"}, headers=ADMIN)
        ).json()
        assert acme["name"] == "acme"
        path = f"/internal/tenants/{acme['id']}/api-keys"
        issued = await (await client.post(path, json={"name": "checkout"}, headers=ADMIN)).json()
        assert {"id", "key", "api_key", "prefix", "tenant_id", "name"} <= issued.keys()
        assert issued["key"] == issued["api_key"]
        assert issued["key"].startswith(issued["prefix"])
        assert (issued["tenant_id"], issued["name"]) == (acme["id"], "checkout")
        assert (
            await client.get(NOTIFICATIONS, headers={"X-API-Key": issued["api_key"]})
        ).status == 200
        (listed,) = (await (await client.get(path, headers=ADMIN)).json())["data"]
        assert listed.keys().isdisjoint({"key", "api_key"})
