"""A real headless Chromium for the tests of the console: what it says on its own console is a
fault.
"""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
SERIOUS = ("serious", "critical")
WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
LOOKS = ({"color_scheme": "light", "viewport": WIDE}, {"color_scheme": "dark", "viewport": NARROW})
"""Each page is looked at in both: no colour depends on the width."""
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium on this machine: apt install chromium"
)


@dataclass
class Tab:
    """A page in a profile of its own, and what went wrong in it."""

    page: Page
    base: str
    faults: list[str] = field(default_factory=list)
    expected: str | None = None
    """Part of the faults that a test brings about on purpose."""

    def note(self, kind: str, text: str) -> None:
        """Keep what the browser complains of."""
        if kind in ("error", "warning"):
            self.faults.append(text)

    async def open(self, path: str = "") -> None:
        await self.page.goto(f"{self.base}/console{path}")

    async def accessible(self) -> None:
        """Fail where axe-core finds something serious."""
        found = await Axe().run(self.page)
        serious = [
            f"{v['id']}: {v['nodes'][0]['html'][:200]}"
            for v in found.response["violations"]
            if v["impact"] in SERIOUS
        ]
        assert serious == [], self.page.url

    def check(self) -> None:
        """Fail where the browser complained."""
        assert [
            fault for fault in self.faults if self.expected is None or self.expected not in fault
        ] == []


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """The machine's own Chromium."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        yield browser
        await browser.close()


async def tab(browser: Browser, base: str, **options: object) -> Tab:
    """A fresh profile with one page, which notes what the browser complains of."""
    context: BrowserContext = await browser.new_context(**{"viewport": WIDE, **options})
    context.set_default_timeout(30_000)
    opened = Tab(await context.new_page(), base)
    opened.page.on("console", lambda said: opened.note(said.type, said.text))
    opened.page.on("pageerror", lambda error: opened.faults.append(str(error)))
    return opened
