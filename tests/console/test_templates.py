"""The templates' pages in a real browser: written with a preview, saved, compared, tried in the
sandbox.
"""

import pytest
from playwright.async_api import Browser, Page, expect

from tests.console.browser import LOOKS, Tab, needs_chromium, tab
from tests.console.test_shell import READER, sign_in
from tests.receiver import Receiver
from tests.stack import Stack, until

pytestmark = [pytest.mark.integration, needs_chromium]
EMAIL = {
    "name": "receipt",
    "channel": "email",
    "subject": "Receipt {{ number }}",
    "body": "Dear {{ name }},\nthank you.",
    "html": "<p>Dear <b>{{ name }}</b></p>",
    "variants": {"pt": {"body": "Obrigado, {{ name }}"}},
}


async def stored(product: Stack, **fields: object) -> str:
    """A template of the default tenant; its id."""
    status, answer = await product.call("POST", "/api/v1/templates", {**EMAIL, **fields})
    assert status == 201, answer
    return str(answer["id"])


async def saved(page: Page, said: str) -> None:
    await expect(page.get_by_role("status").filter(has_text=said)).to_be_visible()


async def test_a_template_is_written_with_a_preview_as_one_types(
    running: tuple[Stack, Receiver], local: Tab
) -> None:
    page, preview = local.page, local.page.locator("#preview")
    await local.open("/templates")
    await page.get_by_role("link", name="New template").click()
    await page.get_by_label("Tenant").fill("default")
    await page.get_by_label("Channel").select_option("sms")
    await page.get_by_role("button", name="Continue").click()
    await page.get_by_label("Name").fill("code")
    await page.get_by_label("Text", exact=True).first.fill("Your code is {{ code }}")
    await expect(preview).to_contain_text("Missing")
    await expect(preview.locator("dd .remedy")).to_have_text("code")
    await page.get_by_label("Variables (JSON)").fill('{"code": "4711", "city": "Porto"}')
    await expect(preview.locator("pre")).to_have_text("Your code is 4711")
    await expect(preview).to_contain_text("1 segment of SMS: 17 units in GSM-7")
    await expect(preview.locator("dd", has_text="city")).to_be_visible()
    await page.get_by_label("Text", exact=True).first.fill("😀 {{ code }}")
    await expect(preview).to_contain_text("UCS-2")
    await page.get_by_label("Text", exact=True).first.fill("{{ code ")
    await expect(preview.locator(".note.bad")).to_contain_text("body")
    await page.get_by_label("Text", exact=True).first.fill("Code {{ code }}")
    await page.get_by_role("button", name="Create").click()
    await saved(page, "The template code was created")
    status, answer = await running[0].call("GET", "/api/v1/templates?name=code")
    assert (status, answer["data"][0]["body"]) == (200, "Code {{ code }}")
    await local.open("/audit-log")
    await expect(page.locator("tr", has_text="template.create")).to_contain_text("console:local")


async def test_an_email_is_edited_and_its_versions_compared(
    running: tuple[Stack, Receiver], local: Tab
) -> None:
    product, _ = running
    template, page = await stored(product), local.page
    await local.open(f"/templates/{template}")
    frame = page.frame_locator("iframe.message")
    await expect(frame.locator("b")).to_have_text("name")
    await page.locator("#html-0").fill("<p>Hi <i>{{ name }}</i><style>i { color: red }</style></p>")
    await expect(frame.locator("i")).to_have_text("name")
    assert await frame.locator("i").evaluate("e => getComputedStyle(e).color") == "rgb(255, 0, 0)"
    await page.locator("#body-0").fill("Dear {{ name }},\nmany thanks.")
    await page.get_by_text("Add a language").click()
    await page.locator("#tag-new").fill("tr")
    await page.locator("#body-new").fill("Merhaba {{ name }}")
    await page.get_by_label("Language of the recipient").fill("tr-TR")
    await expect(page.locator("#preview pre")).to_have_text("Merhaba name")
    await page.get_by_role("button", name="Save as version 2").click()
    await saved(page, "Version 2 was saved")
    await page.get_by_role("link", name="version 2").click()
    await expect(page.locator("pre.difference").first.locator("ins")).to_have_text(
        ["many", "thanks"]
    )
    await expect(page.locator("h3", has_text="body in tr")).to_be_visible()
    await local.accessible()
    await page.get_by_role("link", name="restore version 1").click()
    await expect(page.locator("#body-0")).to_have_value("Dear {{ name }},\nthank you.")
    _, answer = await product.call("GET", f"/api/v1/templates/{template}")
    assert sorted(answer["variants"]) == ["pt", "tr"]
    assert answer["variants"]["pt"] == {
        "subject": None,
        "body": "Obrigado, {{ name }}",
        "html": None,
    }


async def test_nobody_undoes_the_work_of_another_without_knowing(
    running: tuple[Stack, Receiver], local: Tab
) -> None:
    product, _ = running
    template = await stored(product, channel="sms", subject=None, html=None, variants={})
    page = local.page
    await local.open(f"/templates/{template}")
    status, _ = await product.call(
        "PUT", f"/api/v1/templates/{template}", {"body": "of somebody else"}
    )
    assert status == 200
    await page.locator("#body-0").fill("mine")
    local.expected = "Failed to load resource"  # 409, and later 422
    await page.get_by_role("button", name="Save as version 2").click()
    await expect(page.get_by_role("alert").filter(has_text="saved version 2")).to_be_visible()
    await expect(page.locator("#body-0")).to_have_value("mine")
    await page.get_by_role("button", name="Save as version 3").click()
    await saved(page, "Version 3 was saved")
    await page.locator("#body-0").fill("{{ broken")
    await page.get_by_role("button", name="Save as version 4").click()
    await expect(page.get_by_role("alert").filter(has_text="body")).to_be_visible()


async def test_a_test_goes_to_the_sandbox_and_nowhere_else(
    running: tuple[Stack, Receiver], local: Tab
) -> None:
    product, ledger = running
    await product.worker()
    template, page = await stored(product), local.page
    await local.open(f"/templates/{template}")
    await page.get_by_label("Variables (JSON)").fill('{"name": "Ada", "number": 7}')
    await page.get_by_role("button", name="Send version 1 to the sandbox").click()
    await saved(page, "sent to the sandbox")
    await expect(page.locator("#calls tbody tr")).to_contain_text("sandbox", timeout=30_000)
    await expect(page.locator("#state")).to_contain_text("test")

    async def kept() -> bool:
        _, answer = await product.call("GET", "/api/v1/sandbox/messages")
        return [m["subject"] for m in answer["data"]] == ["Receipt 7"]

    await until(kept, what="the message in the sandbox")
    assert ledger.calls == []
    await local.open("/audit-log")
    await expect(page.locator("tr", has_text="template.test")).to_contain_text("console:local")


async def test_a_starter_is_made_a_tenants_own_and_deleted(
    running: tuple[Stack, Receiver], local: Tab
) -> None:
    page = local.page
    await local.open("/templates?channel=push")
    await page.locator("#starters-title ~ ul").get_by_role("link", name="welcome").click()
    await expect(page.get_by_text("This starter is part of the product")).to_be_visible()
    await local.accessible()
    await page.get_by_role("link", name="Copy it for a tenant").click()
    await page.get_by_label("Tenant").fill("default")
    await page.get_by_label("Name").fill("mine")
    await page.get_by_role("button", name="Create").click()
    await saved(page, "was created")
    page.on("dialog", lambda dialog: dialog.accept())
    await page.get_by_role("button", name="Delete").click()
    await saved(page, "was deleted")
    await local.open("/audit-log")
    await expect(page.locator("tr", has_text="template.delete")).to_contain_text("console:local")


async def test_without_script_a_button_previews(
    running: tuple[Stack, Receiver], browser: Browser
) -> None:
    template = await stored(running[0])
    one = await tab(browser, running[0].base, java_script_enabled=False)
    await one.open(f"/templates/{template}")
    await one.page.locator("#body-0").fill("Hello {{ name }}")
    await one.page.get_by_role("button", name="Preview").last.click()
    await expect(one.page.locator("#preview pre")).to_have_text("Hello name")
    await one.page.get_by_role("button", name="Show the HTML").click()
    await expect(one.page.frame_locator("iframe.message").locator("b")).to_have_text("name")


async def test_no_page_of_templates_has_a_serious_fault(
    running: tuple[Stack, Receiver], browser: Browser
) -> None:
    template = await stored(running[0])
    for look in LOOKS:
        one = await tab(browser, running[0].base, **look)
        for path in ("", "/new", "/new?channel=email", f"/{template}", f"/{template}/versions"):
            await one.open(f"/templates{path}")
            await expect(one.page.locator("h1")).to_be_visible()
            await one.accessible()
            assert (
                await one.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
            ), path
        one.check()


async def test_a_reader_reads_templates_and_changes_none(
    running: tuple[Stack, Receiver], browser: Browser
) -> None:
    template = await stored(running[0])
    api = await running[0].api(AUTH="on", CONSOLE_READ_TOKENS=f'{{"eve": "{READER}"}}')
    one = await tab(browser, api.url)
    await one.open(f"/templates/{template}")
    await sign_in(one, READER)
    await expect(one.page.locator("#preview pre")).to_contain_text("Dear name")
    for name in ("Preview", "Save as version 2", "Send version 1 to the sandbox", "Delete"):
        await expect(one.page.get_by_role("button", name=name).last).to_be_disabled()
    one.check()
