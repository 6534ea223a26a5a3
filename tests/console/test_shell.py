"""The console's frame in a real browser: signing in, roles, liveness that never lies, light and
dark, keyboard.
"""

import asyncpg
import pytest
from playwright.async_api import Browser, expect

from tests.console.browser import LOOKS, Tab, needs_chromium, tab
from tests.receiver import Receiver
from tests.stack import Stack, until

pytestmark = [pytest.mark.integration, needs_chromium]

ADMIN, READER = "test-admin-token-0123456789", "reader-token-0123456789"
PLACES = (
    "",
    "?range=day",
    "/notifications",
    "/templates",
    "/templates/new?channel=email",
    "/health",
    "/audit-log",
)
LARGEST_PAGE = 100_000


async def sign_in(one: Tab, token: str) -> None:
    await one.page.get_by_label("Operator token").fill(token)
    await one.page.get_by_role("button", name="Sign in").click()


async def test_signing_in_and_out(running: tuple[Stack, Receiver], browser: Browser) -> None:
    api = await running[0].api(AUTH="on", CONSOLE_READ_TOKENS=f'{{"eve": "{READER}"}}')
    one = await tab(browser, api.url)
    one.expected = "401"  # the browser notes what a wrong token is answered with
    await one.open("/health")
    assert one.page.url.endswith("/console/sign-in?next=%2Fconsole%2Fhealth")
    await one.accessible()
    await sign_in(one, "wrong")
    await expect(one.page.get_by_role("alert").filter(has_text="not known")).to_be_visible()
    await sign_in(one, ADMIN)
    await expect(one.page.get_by_role("heading", name="Health and settings")).to_be_visible()
    cookie = next(c for c in await one.page.context.cookies() if c["name"] == "notistream_console")
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    await one.page.get_by_role("button", name="Sign out").click()
    await one.open("/health")
    await expect(one.page.get_by_role("heading", name="Sign in")).to_be_visible()
    await sign_in(one, READER)
    await expect(one.page.get_by_text("eve, read-only")).to_be_visible()
    one.check()


async def test_a_link_from_another_site_leads_to_the_page_without_signing_in_again(
    running: tuple[Stack, Receiver], browser: Browser
) -> None:
    api = await running[0].api(AUTH="on")
    one = await tab(browser, api.url)
    await one.open()
    await sign_in(one, ADMIN)
    await expect(one.page.get_by_role("heading", name="Overview")).to_be_visible()
    await one.page.context.route(
        "http://elsewhere.example/",
        lambda route: route.fulfill(
            content_type="text/html", body=f'<a href="{api.url}/console/health">open</a>'
        ),
    )
    await one.page.goto("http://elsewhere.example/")
    await one.page.get_by_role("link", name="open").click()
    await expect(one.page.get_by_role("heading", name="Health and settings")).to_be_visible()
    one.check()


async def test_no_page_has_a_serious_fault(
    running: tuple[Stack, Receiver], browser: Browser
) -> None:
    await running[0].worker()
    for look in LOOKS:
        one = await tab(browser, running[0].base, **look)
        for path in PLACES:
            sizes: list[int] = []
            one.page.on(
                "response",
                lambda answer, sizes=sizes: sizes.append(
                    int(answer.headers.get("content-length", 0))
                ),
            )
            await one.open(path)
            loaded = sum(sizes)  # later the page asks again for what is live
            await one.accessible()
            width = await one.page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert width <= 0, f"{path} is wider than the window"
            assert loaded < LARGEST_PAGE
            one.check()


async def test_the_overview_is_live_and_says_when_it_is_not(
    running: tuple[Stack, Receiver], local: Tab
) -> None:
    product, ledger = running
    await local.open()
    attention, page = local.page.locator("#attention"), local.page
    await expect(attention).to_contain_text("no worker runs: nothing is delivered")
    await product.worker()
    await expect(attention).to_contain_text("Nothing needs attention", timeout=30_000)
    ids = [await product.create(recipient=f"+90500000000{n}") for n in range(3)]
    for one in ids:
        await product.ended(one)
    await expect(page.locator("#channels tr", has_text="sms").locator("td").first).to_have_text(
        "3", timeout=30_000
    )
    await expect(page.locator("#fresh")).to_contain_text("Live")
    local.expected = "Failed to load resource"
    await product.processes[0].kill()
    await expect(page.get_by_role("alert")).to_contain_text(
        "The server does not answer. The figures are from"
    )
    await expect(page.locator("body")).to_have_class("stale")
    await product.processes[0].start()
    await expect(page.get_by_role("alert")).to_be_hidden(timeout=30_000)
    await expect(page.locator("body")).not_to_have_class("stale")
    assert ledger.duplicates == 0


async def test_what_is_wrong_comes_first_in_words(
    running: tuple[Stack, Receiver], local: Tab, database_url: str
) -> None:
    product, ledger = running
    await product.worker(BREAKER_OPEN_S="60", BREAKER_FAILURES="1")
    ledger.answer = lambda _call: (503, {})
    await product.create()
    await product.run("pause", "email", "--reason", "maintenance of the relay")
    await local.open()
    await expect(local.page.locator("#attention")).to_contain_text(
        "breaker sms/webhook is open", timeout=30_000
    )
    await expect(local.page.locator("#breakers")).to_contain_text("sms/webhook")
    await expect(local.page.locator("#pauses")).to_contain_text(
        "maintenance of the relay", timeout=30_000
    )
    connection = await asyncpg.connect(database_url)
    await connection.execute(
        "INSERT INTO outbox (topic, messages, ids, created_at, publish_after)"
        " VALUES ('sms.high', '[]', '{}', now() - interval '1 hour', now() + interval '1 hour')"
    )
    await expect(local.page.locator("#attention li").first).to_contain_text(
        "the outbox is 36", timeout=30_000
    )
    await connection.close()


async def test_a_channel_is_paused_and_resumed(running: tuple[Stack, Receiver], local: Tab) -> None:
    product, ledger = running
    await product.worker()
    await local.open()
    page = local.page
    await page.get_by_text("Pause a channel or a provider…").click()
    await page.get_by_label("Channel or provider", exact=True).select_option("sms/webhook")
    await page.get_by_label("Reason, for other operators").fill("maintenance of the relay")
    await page.get_by_role("button", name="Pause").click()
    await expect(page.get_by_text("Paused sms/webhook.")).to_be_visible()
    await expect(page.locator("#pauses")).to_contain_text("maintenance of the relay")
    await local.accessible()
    held = await product.create()

    async def deferred() -> bool:
        return (await product.get(held))["status"] == "deferred"

    await until(deferred, what="the message to be held back")
    await page.get_by_role("button", name="Resume sms/webhook").click()
    await expect(page.get_by_text("Resumed sms/webhook.")).to_be_visible()
    assert (await product.ended(held))["status"] == "delivered"
    assert len(ledger.calls) == 1
    await local.open("/audit-log")
    await expect(page.locator("table")).to_contain_text("resume")


async def test_everything_works_without_scripts(
    running: tuple[Stack, Receiver], browser: Browser
) -> None:
    product, ledger = running
    api = await product.api(AUTH="on")
    await product.worker()
    ledger.answer = lambda _call: (400, {})
    await product.ended(await product.create())
    one = await tab(browser, api.url, java_script_enabled=False)
    await one.open("/dead-letters")
    await sign_in(one, ADMIN)
    await one.page.get_by_role("link", name="Replay all of these…").click()
    await one.page.get_by_role("button", name="Replay 1").click()
    await expect(one.page.get_by_text("Queued again: 1.")).to_be_visible()
    one.check()


async def test_light_and_dark_are_chosen_and_kept(
    running: tuple[Stack, Receiver], local: Tab
) -> None:
    await local.open()
    page = local.page

    async def ground() -> str:
        return str(await page.evaluate("getComputedStyle(document.body).backgroundColor"))

    light = await ground()
    await page.get_by_role("button", name="Dark").click()
    dark = await ground()
    assert dark != light
    await page.reload()
    assert await ground() == dark
    await expect(page.get_by_role("button", name="Light")).to_be_visible()


async def test_keyboard(running: tuple[Stack, Receiver], local: Tab) -> None:
    await local.open()
    await local.page.keyboard.press("Tab")
    await expect(local.page.get_by_role("link", name="Skip to content")).to_be_focused()
    await local.page.keyboard.press("Enter")
    await expect(local.page.locator("main")).to_be_focused()
    outline = "getComputedStyle(document.activeElement).outlineWidth"
    await local.page.keyboard.press("Tab")
    assert await local.page.evaluate(outline) == "3px"


async def test_health_says_what_the_doctor_says(
    running: tuple[Stack, Receiver], local: Tab
) -> None:
    await local.open("/health")
    checks = local.page.locator("#checks")
    for found in (
        "PostgreSQL",
        "every migration is applied",
        "notistream topics creates what is missing",
    ):
        await expect(checks).to_contain_text(found, timeout=30_000)
    await running[0].run("topics")
    await expect(checks).to_contain_text("topics of 2 partitions", timeout=60_000)
    assert ADMIN not in await local.page.content()
    await until(
        lambda: local.page.get_by_text("set, not shown").first.is_visible(),
        what="secrets to be left out",
    )
