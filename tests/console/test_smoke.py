"""The console at a glance: an operator signs in, and each page of the navigation opens."""

import pytest
from playwright.async_api import Browser, expect

from tests.console.browser import needs_chromium, tab
from tests.console.test_shell import ADMIN, sign_in
from tests.receiver import Receiver
from tests.stack import Stack

pytestmark = [pytest.mark.integration, needs_chromium]


async def test_an_operator_signs_in_and_every_page_opens(
    running: tuple[Stack, Receiver], browser: Browser
) -> None:
    product, _ = running
    await product.worker()
    sent = await product.create(recipient="+905000000042")
    await product.ended(sent)
    api = await product.api(AUTH="on")
    one = await tab(browser, api.url)
    await one.open()
    await sign_in(one, ADMIN)
    await expect(one.page.get_by_role("heading", name="Overview")).to_be_visible()
    links = await one.page.get_by_role("navigation").get_by_role("link").all()
    paths = [path for link in links if (path := await link.get_attribute("href"))]
    assert len(paths) > 5, "the navigation names the pages"
    for path in (*paths, f"/console/notifications/{sent}"):
        await one.open(path.removeprefix("/console"))
        await expect(one.page.get_by_role("heading", level=1)).to_be_visible()
        await one.accessible()
        one.check()
