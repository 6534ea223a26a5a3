"""Tenants and keys in a real browser: made, issued, used, rotated, revoked.

Each act noted with who did it.
"""

import asyncpg
import pytest
from playwright.async_api import Browser, expect

from tests.console.browser import NARROW, Tab, needs_chromium, tab
from tests.console.test_shell import READER, sign_in
from tests.receiver import Receiver
from tests.stack import Stack, until

pytestmark = [pytest.mark.integration, needs_chromium]


async def make(one: Tab, name: str) -> None:
    await one.open("/tenants")
    await one.page.get_by_label("Name", exact=True).fill(name)
    await one.page.get_by_role("button", name="Create tenant").click()
    await expect(one.page.get_by_role("heading", name=name)).to_be_visible()


async def issue(one: Tab, name: str, kind: str = "live") -> str:
    await one.page.get_by_label("Name").fill(name)
    await one.page.get_by_label("Kind").select_option(kind)
    await one.page.get_by_role("button", name="Issue key").click()
    return (await one.page.locator("#key").inner_text()).strip()


async def test_a_key_from_its_issue_to_its_end(
    running: tuple[Stack, Receiver], local: Tab, database_url: str
) -> None:
    product, page = running[0], local.page
    page.on("dialog", lambda dialog: dialog.accept())
    await make(local, "acme")
    await local.accessible()
    key = await issue(local, "checkout")
    assert key.startswith("ns_live_")
    await local.accessible()
    status, _ = await product.call("GET", "/api/v1/notifications", headers={"X-API-Key": key})
    assert status == 200
    await page.get_by_role("link", name="Back to acme").click()
    row = page.locator("tr", has_text="checkout")
    await expect(row).to_contain_text("works")
    assert key not in await page.content()
    assert key[:20] in await page.content()

    await row.get_by_label("How long").select_option("24 hours")
    await row.get_by_role("button", name="Rotate").click()
    second = (await page.locator("#key").inner_text()).strip()
    assert second != key
    await expect(page.locator(".facts")).to_contain_text("24 hours")
    await page.get_by_role("link", name="Back to acme").click()
    await expect(page.locator("tr", has_text=key[:20])).to_contain_text("ending")

    await page.locator("tr", has_text=second[:20]).get_by_role("button", name="Revoke").click()
    await expect(page.get_by_role("status")).to_contain_text("is revoked")
    await expect(page.locator("tr", has_text=second[:20])).to_contain_text("revoked")
    await expect(page.locator("tr", has_text=second[:20]).get_by_role("button")).to_have_count(0)

    connection = await asyncpg.connect(database_url)
    noted = await connection.fetch(
        "SELECT actor, action FROM audit_log WHERE actor LIKE 'console:%' ORDER BY id"
    )
    leaked = await connection.fetchval(
        "SELECT count(*) FROM audit_log WHERE details::text LIKE '%' || $1 || '%'", key[25:]
    )
    await connection.close()
    assert [tuple(row) for row in noted] == [
        ("console:local", action)
        for action in ("tenant.create", "key.issue", "key.rotate", "key.revoke")
    ]
    assert leaked == 0


async def test_what_is_wrong_is_said_beside_the_form(
    running: tuple[Stack, Receiver], local: Tab
) -> None:
    page = local.page
    local.expected = "Failed to load resource"  # the browser notes 409 and 422
    await make(local, "acme")
    await local.open("/tenants")
    await page.get_by_label("Name", exact=True).fill("acme")
    await page.get_by_role("button", name="Create tenant").click()
    await expect(page.get_by_role("alert")).to_contain_text("there is a tenant 'acme'")
    await page.get_by_role("link", name="acme").click()
    await page.get_by_label("Name").fill("late")
    await page.get_by_label("Expires").fill("2020-01-01T00:00")
    await page.get_by_role("button", name="Issue key").click()
    await expect(page.get_by_role("alert")).to_contain_text("must lie in the future")
    assert await page.get_by_label("Name").input_value() == "late"
    await local.accessible()


async def test_figures_are_the_tenants_own(running: tuple[Stack, Receiver], local: Tab) -> None:
    product, page = running[0], local.page
    await product.worker()
    await product.ended(await product.create())

    async def delivered() -> bool:
        await local.open("/tenants?name=default")
        return await page.locator("tr", has_text="sms").locator("td").first.inner_text() == "1"

    await until(delivered, what="the total of sms")
    await make(local, "empty")
    await expect(page.locator("tr", has_text="sms")).to_contain_text("–")


async def test_a_reader_looks_and_narrow_windows_are_enough(
    running: tuple[Stack, Receiver], browser: Browser
) -> None:
    api = await running[0].api(AUTH="on", CONSOLE_READ_TOKENS=f'{{"eve": "{READER}"}}')
    one = await tab(browser, api.url, color_scheme="dark", viewport=NARROW)
    await one.open("/tenants")
    await sign_in(one, READER)
    await expect(one.page.get_by_role("button", name="Create tenant")).to_be_disabled()
    await one.accessible()
    await one.page.get_by_role("link", name="default").click()
    await expect(one.page.get_by_role("button", name="Issue key")).to_be_disabled()
    await one.accessible()
    assert await one.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    one.check()
