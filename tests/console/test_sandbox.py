"""The sandbox's inbox in a real browser: what test keys sent arrives live and is shown without
acting.
"""

import pytest
from playwright.async_api import Browser, expect

from tests.console.browser import NARROW, Tab, needs_chromium, tab
from tests.console.test_shell import READER, sign_in
from tests.receiver import Receiver
from tests.stack import Stack, until

pytestmark = [pytest.mark.integration, needs_chromium]
HTML = """<p id="said">Hello <b>Ada</b></p>
<script>document.getElementById("said").textContent = "hacked"</script>
<img src="http://elsewhere.example/spy.png" onerror="document.title='hacked'" alt="">
<form action="/console/sign-out" method="post"><button>go</button></form>"""


async def issue_test_key(product: Stack, tenant: str = "default") -> str:
    out = await product.run("keys", "issue", tenant, "--name", "ci", "--kind", "test")
    return next(word for word in out.split() if word.startswith("ns_test_"))


async def send(product: Stack, key: str, **fields: object) -> str:
    status, answer = await product.call(
        "POST",
        "/api/v1/notifications",
        {"channel": "sms", "content": "hi", "priority": "high", **fields},
        headers={"X-API-Key": key},
    )
    assert status == 202, answer
    return str(answer["id"])


async def test_what_a_test_key_sends_arrives_and_is_shown(
    running: tuple[Stack, Receiver], local: Tab
) -> None:
    product, page = running[0], local.page
    key = await issue_test_key(product)
    await local.open("/sandbox")
    await expect(page.locator("#messages")).to_contain_text("No messages of test keys of default")
    await local.accessible()
    await product.worker()
    one = await send(
        product,
        key,
        recipient="+905000000001",
        content="Your code is <4711>",
        payload={"code": "4711"},
    )
    await expect(page.locator("#messages")).to_contain_text("Your code is <4711>", timeout=30_000)
    await send(product, key, recipient="+15005550001", content="never")
    await expect(page.locator("#messages tr", has_text="never")).to_contain_text(
        "permanent", timeout=30_000
    )

    await page.get_by_label("Exact recipient").fill("+905000000001")
    await page.get_by_role("button", name="Show").click()
    await expect(page.locator("tbody tr")).to_have_count(1)
    await page.get_by_role("link", name="Your code is").click()
    await expect(page.locator("#text")).to_have_text("Your code is <4711>")
    await expect(page.locator(".facts").first).to_contain_text(one)
    await local.accessible()
    await product.run("tenants", "create", "demo")
    await local.open("/sandbox?tenant=demo")
    await expect(page.locator("#messages")).to_contain_text("No messages of test keys of demo")


async def test_html_of_others_is_shown_and_does_nothing(
    running: tuple[Stack, Receiver], local: Tab
) -> None:
    product, page = running[0], local.page
    key = await issue_test_key(product)
    stopped: dict[str, str | None] = {}
    page.on("requestfailed", lambda request: stopped.update({request.url: request.failure}))
    await product.worker()
    status, template = await product.call(
        "POST",
        "/api/v1/templates",
        {"name": "wild", "channel": "email", "subject": "Welcome", "body": "Hello", "html": HTML},
    )
    assert status == 201, template
    await send(
        product,
        key,
        channel="email",
        recipient="ada@example.com",
        content=None,
        template_id=template["id"],
    )
    await local.open("/sandbox")
    await page.get_by_role("link", name="Welcome").click(timeout=30_000)
    frame = page.frame_locator("iframe.message")
    await expect(frame.locator("#said")).to_have_text("Hello Ada")
    await until(lambda: stopped, what="the picture to be refused")
    assert stopped == {"http://elsewhere.example/spy.png": "csp"}
    assert "hacked" not in await page.title()
    await local.accessible()
    # The browser tells that the frame refused the script and the picture: that is what is wanted.
    local.faults[:] = [fault for fault in local.faults if not refused(fault)]


def refused(fault: str) -> bool:
    """What a browser says of a script, a picture or a form that the frame's policy stopped."""
    return any(
        word in fault
        for word in ("Content Security Policy", "sandboxed", "Blocked script execution")
    )


async def test_a_message_is_its_tenants_own(running: tuple[Stack, Receiver], local: Tab) -> None:
    product, page = running[0], local.page
    local.expected = "404"
    key = await issue_test_key(product)
    await product.worker()
    await send(product, key, recipient="+905000000001", content="mine")
    await local.open("/sandbox")
    link = page.get_by_role("link", name="mine")
    await link.wait_for(timeout=30_000)
    mine = str(await link.get_attribute("href"))
    await product.run("tenants", "create", "demo")
    await local.open("/tenants?name=demo")
    other = page.url.rsplit("/", 1)[-1]
    await local.open(f"/sandbox/{other}/{mine.rsplit('/', 1)[-1]}")
    await expect(page.get_by_role("heading")).to_have_text("Not found")


async def test_a_reader_looks(running: tuple[Stack, Receiver], browser: Browser) -> None:
    api = await running[0].api(AUTH="on", CONSOLE_READ_TOKENS=f'{{"eve": "{READER}"}}')
    one = await tab(browser, api.url, color_scheme="dark", viewport=NARROW)
    await one.open("/sandbox")
    await sign_in(one, READER)
    await expect(one.page.get_by_role("heading", name="Sandbox")).to_be_visible()
    await one.accessible()
    assert await one.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    one.check()
