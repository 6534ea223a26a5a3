"""Webhooks in a real browser: an endpoint's state, its deliveries and their calls.

Tried out, switched, sent again.
"""

from collections.abc import AsyncIterator

import asyncpg
import pytest
from playwright.async_api import Browser, expect

from tests.console.browser import NARROW, Tab, needs_chromium, tab
from tests.console.test_shell import READER, sign_in
from tests.hooks import LOOPBACK, Hooks, hooks
from tests.receiver import Receiver
from tests.stack import Stack

pytestmark = [pytest.mark.integration, needs_chromium]
Place = tuple[Stack, Hooks]


@pytest.fixture
async def place(running: tuple[Stack, Receiver]) -> AsyncIterator[Place]:
    """An endpoint of the tenant `default`, and a worker that may call it."""
    product = running[0]
    async with hooks() as receiver:
        api = await product.api(WEBHOOK_ALLOW_NETWORKS=LOOPBACK)
        await product.worker(WEBHOOK_ALLOW_NETWORKS=LOOPBACK)
        async with product.http.post(
            f"{api.url}/api/v1/webhooks",
            json={"url": f"{receiver.url}/hook", "description": "orders"},
        ) as answer:
            assert answer.status == 201, await answer.text()
        yield product, receiver


async def enter(one: Tab) -> None:
    await one.open("/webhooks")
    await one.page.get_by_role("link", name="/hook").click()
    await expect(one.page.get_by_role("heading", name="Webhook endpoint")).to_be_visible()


async def test_an_endpoint_is_tried_out_and_a_failed_call_is_seen_and_repeated(
    place: Place, local: Tab
) -> None:
    _, receiver = place
    page = local.page
    receiver.answer = lambda _call: (503, {}, "<b>busy</b>")
    await enter(local)
    await expect(page.locator("#deliveries")).to_contain_text("No deliveries yet")
    await page.get_by_role("button", name="Send a test event").click()
    await expect(page.get_by_role("heading", name="Webhook delivery")).to_be_visible()
    await expect(page.locator("#delivery tbody tr").last).to_contain_text(
        "HTTP 503", timeout=30_000
    )
    await expect(page.locator("#delivery")).to_contain_text("<b>busy</b>")
    await expect(page.locator("#data")).to_contain_text("NotiStream can reach this endpoint")
    await local.accessible()
    delivery = page.url
    await page.get_by_role("link", name="/hook").click()
    await expect(page.locator("#state")).to_contain_text("failing")
    await local.accessible()
    receiver.answer = lambda _call: (204, {}, "")
    await page.goto(delivery)
    await page.get_by_role("button", name="Send again").click()
    await expect(page.locator("#delivery .badge").first).to_have_text("delivered", timeout=30_000)
    await page.get_by_role("link", name="/hook").click()
    await expect(page.locator("#state")).not_to_contain_text("failing")
    await page.get_by_label("Status", exact=True).select_option("failed")
    await page.get_by_role("button", name="Show").click()
    await expect(page.locator("#deliveries")).to_contain_text("No delivery matches")


async def test_a_span_is_sent_again_and_switching_is_noted(
    place: Place, local: Tab, database_url: str
) -> None:
    product, receiver = place
    page = local.page
    page.on("dialog", lambda dialog: dialog.accept())
    local.expected = "Failed to load resource"  # the browser notes 422
    for n in range(3):
        await product.create(recipient=f"+90500000000{n}")
    await enter(local)
    await expect(page.locator("#deliveries tbody .good")).to_have_count(3, timeout=30_000)
    before = len(receiver.calls)
    await page.get_by_label("Since (UTC)").fill("2030-01-01T00:00")
    await page.get_by_label("Until (UTC)").fill("2020-01-01T00:00")
    await page.get_by_role("button", name="Send again").click()
    await expect(page.get_by_role("alert")).to_contain_text("must lie after the beginning")
    await page.get_by_label("Since (UTC)").fill("2020-01-01T00:00")
    await page.get_by_label("Until (UTC)").fill("")
    await page.get_by_label("Final status").select_option("all")
    await page.get_by_role("button", name="Send again").click()
    await expect(page.get_by_role("status")).to_contain_text("3 deliveries are queued again")
    await expect(page.locator("#deliveries tbody .good")).to_have_count(3, timeout=30_000)
    assert len({call.id for call in receiver.calls[before:]}) == 3

    await page.get_by_role("button", name="Switch off").click()
    await expect(page.locator("#state .badge")).to_have_text("off")
    await expect(page.get_by_role("button", name="Send a test event")).to_have_count(0)
    await local.accessible()
    await page.get_by_role("button", name="Switch on").click()
    await expect(page.locator("#state .badge")).to_have_text("active")
    connection = await asyncpg.connect(database_url)
    noted = await connection.fetch(
        "SELECT actor, action FROM audit_log WHERE action LIKE 'webhook.%' ORDER BY id"
    )
    await connection.close()
    assert [tuple(row) for row in noted] == [
        ("console:local", f"webhook.{action}") for action in ("redeliver_span", "disable", "enable")
    ]


async def test_an_endpoint_that_is_gone_says_why_it_was_switched_off(
    place: Place, local: Tab
) -> None:
    place[1].answer = lambda _call: (410, {}, "")
    await enter(local)
    await local.page.get_by_role("button", name="Send a test event").click()
    await expect(local.page.locator("#delivery")).to_contain_text(
        "not active: nothing is sent", timeout=30_000
    )
    await local.open("/webhooks")
    await expect(local.page.locator("#endpoints tbody tr")).to_contain_text("it answered 410 Gone")
    await expect(local.page.locator("#endpoints .badge")).to_have_text("disabled")
    await local.accessible()


async def test_a_reader_looks(place: Place, browser: Browser) -> None:
    api = await place[0].api(AUTH="on", CONSOLE_READ_TOKENS=f'{{"eve": "{READER}"}}')
    one = await tab(browser, api.url, color_scheme="dark", viewport=NARROW)
    await one.open("/webhooks")
    await sign_in(one, READER)
    await one.accessible()
    await one.page.get_by_role("link", name="/hook").click()
    for name in ("Send a test event", "Switch off", "Send again"):
        await expect(one.page.get_by_role("button", name=name)).to_be_disabled()
    await one.accessible()
    assert await one.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    one.check()
