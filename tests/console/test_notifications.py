"""The notifications' pages in a real browser: found as they arrive, explained, cancelled, sent
again, resolved.
"""

from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from playwright.async_api import Browser, Route, expect

from tests.console.browser import LOOKS, Tab, needs_chromium, tab
from tests.console.test_shell import READER, sign_in
from tests.receiver import Receiver
from tests.stack import Stack, until

pytestmark = [pytest.mark.integration, needs_chromium]
HOSTILE = "<script>document.title = 'hacked'</script> <b>bold</b>"


async def test_a_notification_arrives_live_and_its_timeline_opens(
    running: tuple[Stack, Receiver], local: Tab
) -> None:
    product, _ = running
    await product.worker()
    await local.open("/notifications")
    page = local.page
    await expect(page.locator("#found")).to_contain_text("No notification matches.")
    sent = await product.create(recipient="+905000000042", content=HOSTILE)
    row = page.locator("#found tbody tr")
    await expect(row).to_contain_text("+905000000042")
    await expect(row).to_contain_text("delivered", timeout=30_000)
    await row.get_by_role("link").click()
    await expect(page).to_have_url(f"{local.base}/console/notifications/{sent}")
    await expect(page.locator("pre.text")).to_have_text(HOSTILE)
    timeline = page.locator("#timeline")
    for gate in ("accept", "suppression", "quiet hours", "provider", "recipient limit"):
        await expect(timeline.locator("tr", has_text=gate).first).to_be_visible()
    await expect(page.locator("#calls tbody tr")).to_contain_text("webhook")
    await expect(page.locator("#fields")).to_contain_text(sent)
    trace_id = await page.locator("#fields dd a code").last.inner_text()
    link = page.get_by_role("link", name=trace_id)
    await expect(link).to_have_attribute("href", f"http://traces.example/trace/{trace_id}")
    assert await page.title() != "hacked"
    await local.accessible()


async def test_no_page_of_notifications_has_a_serious_fault(
    running: tuple[Stack, Receiver], browser: Browser
) -> None:
    product, ledger = running
    await product.worker()
    ledger.answer = lambda _call: (400, {})
    failed = await product.create()
    await product.ended(failed)
    html = await product.create(
        channel="email",
        recipient="ada@example.com",
        content=None,
        template_id="welcome",
        template_variables={"Name": "Ada", "name": "Ada"},
    )
    for look in LOOKS:
        one = await tab(browser, product.base, **look)
        for path in ("", f"/{failed}", f"/{failed}/resend", f"/{html}"):
            await one.open(f"/notifications{path}")
            await expect(one.page.locator("h1")).to_be_visible()
            await one.accessible()
            assert (
                await one.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
            ), path
        one.check()


async def test_the_search_finds_by_every_field(running: tuple[Stack, Receiver], local: Tab) -> None:
    product, _ = running
    wanted = await product.create(channel="email", recipient="ada@example.com", content="one")
    await product.create(recipient="+905000000001")
    batch = await product.batch(
        [{"channel": "sms", "recipient": "+905000000002", "content": "x"}] * 2
    )
    page, rows = local.page, local.page.locator("#found tbody tr")
    since = (datetime.now(UTC) - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M")
    for label, value, count in (
        ("Recipient", "ada@example.com", 1),
        ("Recipient", "ada@example.co", 0),
        ("Tenant", "default", 4),
        ("Template", "welcome", 0),
        ("Id", batch, 2),
        ("Accepted since (UTC)", since, 4),
        ("Until (UTC)", since, 0),
    ):
        await local.open("/notifications")
        await page.get_by_label(label, exact=True).fill(value)
        await page.get_by_role("button", name="Search").click()
        await expect(rows).to_have_count(count)
    await local.open("/notifications?channel=email&status=pending")
    await expect(rows).to_have_count(1)
    await local.open(f"/notifications?id={wanted}")
    await expect(page).to_have_url(f"{local.base}/console/notifications/{wanted}")
    local.expected = "422"
    await local.open("/notifications?tenant=nobody")
    await expect(
        page.get_by_role("alert").filter(has_text="there is no tenant 'nobody'")
    ).to_be_visible()


async def test_what_waits_says_until_when_and_is_cancelled_by_name(
    running: tuple[Stack, Receiver], local: Tab
) -> None:
    product, _ = running
    waits = await product.create(scheduled_at=(datetime.now(UTC) + timedelta(hours=3)).isoformat())
    await local.open(f"/notifications/{waits}")
    page = local.page
    await expect(page.locator("#state")).to_contain_text("Next eligible in 2 h")
    page.on("dialog", lambda dialog: dialog.accept())
    await page.get_by_role("button", name="Cancel").click()
    await expect(page.get_by_role("status").filter(has_text="was cancelled")).to_be_visible()
    await expect(page.locator("#timeline")).to_contain_text("cancelled by an operator")
    assert (await product.get(waits))["status"] == "cancelled"
    await local.open("/audit-log")
    row = page.locator("tr", has_text="notification.cancel")
    await expect(row).to_contain_text("console:local")
    await expect(row).to_contain_text(waits)


async def test_sending_again_is_shown_before_it_is_done(
    running: tuple[Stack, Receiver], local: Tab
) -> None:
    product, ledger = running
    await product.worker()
    sent = await product.create(content="once more")
    await product.ended(sent)
    page = local.page
    await local.open(f"/notifications/{sent}/resend")
    await expect(page.get_by_text("the recipient would get it twice")).to_be_visible()
    await expect(page.locator("#would")).to_contain_text("send")
    await expect(page.locator("#would pre")).to_have_text("once more")
    assert len(ledger.calls) == 1
    stale = await page.context.new_page()
    await stale.goto(page.url)
    await page.get_by_role("button", name="Send it again").click()
    await expect(page.locator("#calls tbody tr")).to_have_count(2, timeout=30_000)
    await expect(page.locator("#timeline")).to_contain_text("sent again by an operator")
    await stale.get_by_role("button", name="Send it again").click()
    await expect(stale.get_by_text("sent again after this form was shown")).to_be_visible()
    assert len(ledger.calls) == 2
    await local.open("/audit-log")
    await expect(page.locator("tr", has_text="notification.resend")).to_have_count(1)


@pytest.mark.parametrize(
    ("button", "status"),
    [("It was delivered", "delivered"), ("It was not delivered", "failed"), (None, "delivered")],
)
async def test_a_held_unknown_is_resolved(
    running: tuple[Stack, Receiver], local: Tab, database_url: str, button: str | None, status: str
) -> None:
    product, _ = running
    held = await product.create(
        on_unknown="hold", scheduled_at=(datetime.now(UTC) + timedelta(hours=3)).isoformat()
    )
    connection = await asyncpg.connect(database_url)
    await connection.execute(
        "UPDATE notifications SET status = 'unknown', due_at = NULL, attempts = 1 WHERE id = $1",
        held,
    )
    await connection.close()
    page = local.page
    await local.open(f"/notifications/{held}")
    await expect(page.locator("#state")).to_contain_text("held until an operator resolves")
    if button:
        await page.get_by_role("button", name=button, exact=True).click()
    else:
        await product.worker()
        await page.get_by_role("link", name="Send again").click()
        await page.get_by_role("button", name="Send it again").click()
    await expect(page.get_by_role("status").filter(has_text="resolved")).to_be_visible()
    await expect(page.locator("#timeline")).to_contain_text("resolved by an operator")
    assert (await product.ended(held))["status"] == status


async def test_html_of_a_sender_is_shown_in_a_frame_that_can_do_nothing(
    running: tuple[Stack, Receiver], local: Tab
) -> None:
    product, _ = running
    status, _ = await product.call(
        "POST",
        "/api/v1/templates",
        {
            "name": "hostile",
            "channel": "email",
            "subject": "Hello",
            "body": "plain",
            "html": (
                "<p id=seen>Hello</p><script>top.document.title = 'hacked'</script><img"
                " src='http://canary.example/x'>"
            ),
        },
    )
    assert status == 201
    sent = await product.create(
        channel="email", recipient="ada@example.com", content=None, template_id="hostile"
    )
    asked: list[str] = []

    async def note(route: Route) -> None:
        asked.append(route.request.url)
        await route.abort()

    await local.page.context.route("http://canary.example/**", note)
    await local.open(f"/notifications/{sent}")
    await expect(local.page.frame_locator("iframe.message").locator("#seen")).to_have_text("Hello")
    assert await local.page.title() != "hacked"
    assert asked == []
    await until(lambda: len(local.faults) >= 2, what="the browser to say that it stopped both")
    local.expected = "sandboxed"
    local.faults = [fault for fault in local.faults if "Content Security Policy" not in fault]


async def test_a_reader_sees_everything_and_can_do_nothing(
    running: tuple[Stack, Receiver], browser: Browser
) -> None:
    product, _ = running
    waits = await product.create(scheduled_at=(datetime.now(UTC) + timedelta(hours=3)).isoformat())
    api = await product.api(AUTH="on", CONSOLE_READ_TOKENS=f'{{"eve": "{READER}"}}')
    one = await tab(browser, api.url)
    await one.open(f"/notifications/{waits}")
    await sign_in(one, READER)
    await expect(one.page.locator("#fields")).to_contain_text(waits)
    await expect(one.page.get_by_role("button", name="Cancel")).to_be_disabled()
    one.check()
