"""Recipients in a real browser: masked contacts, preferences, suppressions, erasure."""

import asyncpg
import pytest
from playwright.async_api import Browser, expect

from tests.console.browser import NARROW, Tab, needs_chromium, tab
from tests.console.test_shell import READER, sign_in
from tests.receiver import Receiver
from tests.stack import Stack

pytestmark = [pytest.mark.integration, needs_chromium]
ID = "user/1 & co"
EMAIL, PHONE, TOKEN = "ada.lovelace@example.com", "+905321112233", "device-token-0123456789"


async def furnish(product: Stack) -> None:
    path = "/api/v1/recipients/user%2F1%20%26%20co"
    status, answer = await product.call(
        "PUT",
        path,
        {
            "email": EMAIL,
            "phone": PHONE,
            "push_tokens": [TOKEN],
            "timezone": "Europe/Istanbul",
            "locale": "tr",
        },
    )
    assert status == 201, answer
    status, answer = await product.call(
        "PUT",
        f"{path}/preferences",
        {
            "channels": {
                "sms": {
                    "quiet_hours": {"start": "22:00", "end": "08:00"},
                    "frequency_cap": {"count": 5, "per": "day"},
                }
            },
            "categories": {"offers": False},
        },
    )
    assert status == 200, answer


async def enter(one: Tab) -> None:
    await one.open("/recipients")
    await one.page.get_by_role("link", name=ID).click()
    await expect(one.page.get_by_role("heading", name=f"Recipient {ID}")).to_be_visible()


async def noted(database_url: str) -> list[tuple[str, str]]:
    """Who did what; that none of it names the recipient is checked besides."""
    connection = await asyncpg.connect(database_url)
    rows = await connection.fetch(
        "SELECT actor, action, target || details::text AS said FROM audit_log ORDER BY id"
    )
    await connection.close()
    assert not [
        row
        for row in rows
        if any(part in row["said"] for part in (ID, "lovelace", "532111", TOKEN))
    ]
    return [(row["actor"], row["action"]) for row in rows if row["actor"].startswith("console:")]


async def test_contacts_are_masked_until_somebody_shows_them(
    running: tuple[Stack, Receiver], local: Tab, database_url: str
) -> None:
    await furnish(running[0])
    page = local.page
    await local.open("/recipients")
    await expect(page.locator("tbody")).to_contain_text("a•••@example.com")
    await local.accessible()
    await enter(local)
    await local.accessible()
    for secret in (EMAIL, PHONE, TOKEN):
        assert secret not in await page.content()
    assert await noted(database_url) == []
    await page.get_by_role("button", name="Show contacts").click()
    await expect(page.locator("#contacts")).to_contain_text(EMAIL)
    assert TOKEN in await page.content()
    assert await noted(database_url) == [("console:local", "recipient.reveal")]
    await page.get_by_role("link", name="Hide again").click()
    await expect(page.locator("#contacts")).to_contain_text("a•••@example.com")


async def test_the_list_begins_where_it_is_told_to(
    running: tuple[Stack, Receiver], local: Tab
) -> None:
    for n in range(60):
        await running[0].call("PUT", f"/api/v1/recipients/a-{n:02}", {"locale": "en"})
    page = local.page
    await local.open("/recipients")
    await expect(page.locator("tbody tr")).to_have_count(50)
    await page.get_by_role("link", name="More").click()
    await expect(page.locator("tbody tr").first).to_contain_text("a-50")
    await page.get_by_label("Starting at id").fill("a-41")
    await page.get_by_role("button", name="Show").click()
    await expect(page.locator("tbody tr").first).to_contain_text("a-41")
    await page.get_by_role("link", name="From the beginning").click()
    await expect(page.locator("tbody tr").first).to_contain_text("a-00")


async def test_preferences_are_said_in_words_and_changed(
    running: tuple[Stack, Receiver], local: Tab, database_url: str
) -> None:
    product, page = running[0], local.page
    local.expected = "Failed to load resource"  # the browser notes 422
    await furnish(product)
    await enter(local)
    wishes = page.locator("#wishes")
    await expect(wishes).to_contain_text(
        "quiet from 22:00 to 08:00 of the next day; at most 5 per day"
    )
    await expect(wishes).to_contain_text("category offers")
    sms, email = page.get_by_role("group", name="sms"), page.get_by_role("group", name="email")
    await sms.get_by_label("in any").fill("fortnight")
    await page.get_by_role("button", name="Save preferences").click()
    await expect(page.get_by_role("alert")).to_contain_text(
        "channels › sms › frequency cap › per must be minute"
    )
    assert await sms.get_by_label("in any").input_value() == "fortnight"
    await local.accessible()
    await sms.get_by_label("in any").fill("90")
    await email.get_by_label("Send").uncheck()
    await page.get_by_label("Another category").fill("news")
    await page.get_by_role("button", name="Save preferences").click()
    await expect(page.get_by_role("status")).to_contain_text("preferences were saved")
    await expect(wishes).to_contain_text("at most 5 per 90 minutes")
    _, stored = await product.call("GET", "/api/v1/recipients/user%2F1%20%26%20co/preferences")
    assert stored["channels"]["email"]["enabled"] is False
    assert stored["channels"]["sms"]["frequency_cap"] == {"count": 5, "per": 90}
    assert stored["categories"] == {"offers": False, "news": False}
    assert await noted(database_url) == [("console:local", "recipient.preferences")]


async def test_an_address_is_suppressed_and_the_message_with_it(
    running: tuple[Stack, Receiver], local: Tab, database_url: str
) -> None:
    product, page = running[0], local.page
    page.on("dialog", lambda dialog: dialog.accept())
    await furnish(product)
    await product.worker()
    await enter(local)
    await page.get_by_label("Address", exact=True).select_option(label="sms: +90•••33")
    await page.get_by_label("Note").fill("asked by phone")
    await page.get_by_role("button", name="Suppress").click()
    row = page.locator("#suppressions tbody tr")
    await expect(row).to_contain_text("manual")
    await expect(row).to_contain_text("+90•••33")
    await local.accessible()
    one = await product.create(recipient=PHONE, content="hello")
    assert (await product.ended(one))["status"] == "suppressed"
    await row.get_by_role("button", name="Remove").click()
    await expect(page.locator("#suppressions")).to_have_count(0)
    assert await noted(database_url) == [
        ("console:local", "suppression.add"),
        ("console:local", "suppression.remove"),
    ]


async def test_erasing_asks_for_the_id_and_leaves_nothing(
    running: tuple[Stack, Receiver], local: Tab, database_url: str
) -> None:
    product, page = running[0], local.page
    local.expected = "Failed to load resource"
    await furnish(product)
    one = await product.create(recipient=PHONE, content="a secret")
    await enter(local)
    await page.get_by_label("To confirm").fill("somebody else")
    await page.get_by_role("button", name="Erase this recipient").click()
    await expect(page.get_by_role("alert")).to_contain_text("nothing was erased")
    await page.get_by_label("To confirm").fill(ID)
    await page.get_by_role("button", name="Erase this recipient").click()
    await expect(page.get_by_role("status")).to_contain_text(
        "erased from 1 notifications; 1 waiting ones were cancelled"
    )
    found = await product.get(one)
    assert found["status"] == "cancelled"
    assert PHONE not in str(found)
    assert "a secret" not in str(found)
    assert await noted(database_url) == [("console:local", "recipient.erase")]


async def test_a_reader_looks_and_sees_no_contacts(
    running: tuple[Stack, Receiver], browser: Browser
) -> None:
    await furnish(running[0])
    api = await running[0].api(AUTH="on", CONSOLE_READ_TOKENS=f'{{"eve": "{READER}"}}')
    one = await tab(browser, api.url, color_scheme="dark", viewport=NARROW)
    await one.open("/recipients")
    await sign_in(one, READER)
    await one.page.get_by_role("link", name=ID).click()
    for name in ("Show contacts", "Save preferences", "Suppress", "Erase this recipient"):
        await expect(one.page.get_by_role("button", name=name)).to_be_disabled()
    assert EMAIL not in await one.page.content()
    await one.accessible()
    assert await one.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    one.check()
