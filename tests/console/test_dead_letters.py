"""Dead letters and range replays in a real browser: seen live, previewed, replayed, deleted.

Each with who did it.
"""

import asyncpg
import pytest
from playwright.async_api import Browser, Page, expect

from tests.console.browser import LOOKS, Tab, needs_chromium, tab
from tests.receiver import Receiver
from tests.stack import Stack, messages, until

pytestmark = [pytest.mark.integration, needs_chromium]

LIVE_MS = 30_000
REFUSED = "SELECT count(*) FROM dead_letters"


async def break_down(product: Stack, ledger: Receiver, database_url: str, count: int) -> None:
    """As many dead letters of a receiver that refuses everything."""
    ledger.answer = lambda _call: (400, {})
    await product.batch_ended(await product.batch(messages(count)))
    connection = await asyncpg.connect(database_url)

    async def buried() -> bool:
        return bool(await connection.fetchval(REFUSED) == count)

    await until(buried, what=f"{count} dead letters")
    await connection.close()


async def audit_log(database_url: str) -> list[tuple[str, str]]:
    connection = await asyncpg.connect(database_url)
    rows = await connection.fetch(
        "SELECT actor, action FROM audit_log WHERE actor LIKE 'console:%' ORDER BY id"
    )
    await connection.close()
    return [(row["actor"], row["action"]) for row in rows]


def entries(page: Page):
    return page.locator("#entries tbody tr")


async def test_a_receiver_breaks_is_repaired_and_all_is_replayed_from_the_page(
    running: tuple[Stack, Receiver], local: Tab, database_url: str
) -> None:
    product, ledger = running
    await product.worker(RECIPIENT_RATE_LIMIT="0")
    page = local.page
    await local.open("/dead-letters")
    await expect(page.locator("#kinds")).to_contain_text("No dead letters are waiting.")
    await break_down(product, ledger, database_url, 30)
    # The page updates itself; nobody loads it again.
    await expect(page.locator("#kinds")).to_contain_text("30 in total", timeout=LIVE_MS)
    await expect(entries(page)).to_have_count(25)
    ledger.answer = lambda _call: (202, {})
    await page.get_by_role("link", name="Replay all of these…").click()
    await expect(page.get_by_role("heading", name="Replay 30 dead letters?")).to_be_visible()
    assert await audit_log(database_url) == []
    await page.get_by_role("button", name="Replay 30").click()
    await expect(page.get_by_text("Queued again: 30.")).to_be_visible()
    await expect(page.locator("#kinds")).to_contain_text("No dead letters are waiting.")
    await until(lambda: len(ledger.accepted) == 30, what="the replayed messages")
    assert ledger.duplicates == 0
    assert await audit_log(database_url) == [("console:local", "dlq.replay")]
    await page.get_by_role("link", name="replayed", exact=True).click()
    await expect(page.locator("#kinds")).to_contain_text("30 in total")


async def test_a_long_replay_goes_on_step_by_step_and_shows_how_far_it_is(
    running: tuple[Stack, Receiver], local: Tab, database_url: str
) -> None:
    connection = await asyncpg.connect(database_url)
    await connection.execute(
        "INSERT INTO notifications (id, tenant_id, channel, priority, recipient, content, status,"
        " reason) SELECT md5(n::text)::uuid, t.id, 'sms', 'normal', '+905000000001', 'hi',"
        " 'failed', 'refused' FROM tenants t, generate_series(1, 4500) n WHERE t.name = 'default'"
    )
    await connection.execute(
        "INSERT INTO dead_letters (id, notification_id, tenant_id, channel, reason)"
        " SELECT gen_random_uuid(), id, tenant_id, channel, reason FROM notifications"
    )
    await connection.execute(
        "UPDATE notifications SET status = 'delivered' WHERE id = md5('7')::uuid"
    )
    seen: list[str] = []
    local.page.on("domcontentloaded", lambda page: seen.append(page.url.rsplit("/", 1)[-1]))
    await local.open("/dead-letters/preview?all=1&channel=sms")
    await local.page.get_by_role("button", name="Replay 4").click()
    await expect(local.page.get_by_text("Queued again: 4499, skipped: 1.")).to_be_visible(
        timeout=60_000
    )
    # 4500 are three steps; the last one leads back to the list.
    assert seen.count("replay-all") == 2
    assert (
        await connection.fetchval("SELECT count(*) FROM notifications WHERE status = 'pending'")
        == 4499
    )
    await connection.close()


async def test_some_are_ticked_previewed_replayed_or_deleted(
    running: tuple[Stack, Receiver], local: Tab, database_url: str
) -> None:
    product, ledger = running
    await product.worker(RECIPIENT_RATE_LIMIT="0")
    await break_down(product, ledger, database_url, 5)
    ledger.answer = lambda _call: (202, {})
    page = local.page
    await local.open("/dead-letters")
    for at in (0, 1):
        await entries(page).nth(at).get_by_role("checkbox").check()
    await page.get_by_role("button", name="Replay selected…").click()
    await expect(page.get_by_role("heading", name="Replay 2 dead letters?")).to_be_visible()
    await expect(page.get_by_text("queued again", exact=True)).to_have_count(2)
    await page.get_by_role("button", name="Replay 2").click()
    await expect(page.get_by_text("Queued again: 2.")).to_be_visible()
    await expect(entries(page)).to_have_count(3)
    await page.get_by_label("All on this page").check()
    await page.get_by_role("button", name="Delete selected…").click()
    await expect(page.get_by_role("heading", name="Delete 3 dead letters?")).to_be_visible()
    await page.get_by_role("button", name="Delete 3 for good").click()
    await expect(page.get_by_text("Deleted: 3.")).to_be_visible()
    await expect(entries(page)).to_have_count(0)
    assert await audit_log(database_url) == [
        *[("console:local", "dlq.replay")] * 2,
        *[("console:local", "dlq.delete")] * 3,
    ]


async def test_what_cannot_be_replayed_is_said_before(
    running: tuple[Stack, Receiver], local: Tab, database_url: str
) -> None:
    connection = await asyncpg.connect(database_url)
    gone = await connection.fetchval(
        "INSERT INTO dead_letters (id, notification_id, channel, reason)"
        " VALUES (gen_random_uuid(), gen_random_uuid(), 'sms', 'refused <b>once</b>') RETURNING id"
    )
    record = await connection.fetchval(
        'INSERT INTO dead_letters (id, channel, reason, topic, partition, "offset", key, value,'
        " headers) VALUES (gen_random_uuid(), 'sms', 'not JSON', 'elsewhere.sms.high', 0, 7, 'k',"
        " '\\xff00', '[[\"a\", \"b\"]]') RETURNING id"
    )
    await connection.close()
    await local.open(f"/dead-letters/preview?id={gone}&id={record}")
    await expect(local.page.get_by_text("is gone")).to_be_visible()
    await expect(
        local.page.get_by_text("its topic elsewhere.sms.high is not one of")
    ).to_be_visible()
    await expect(local.page.get_by_role("button", name="Replay")).to_have_count(0)
    await local.open(f"/dead-letters/{record}")
    await expect(local.page.locator("pre")).to_have_text("/wA=")
    await local.accessible()
    await local.open(f"/dead-letters/{gone}")
    await expect(local.page.get_by_text("refused <b>once</b>")).to_be_visible()  # as text
    await expect(local.page.get_by_text("It cannot be replayed: notification")).to_be_visible()


async def test_a_range_is_surveyed_replayed_stopped_and_resumed(
    running: tuple[Stack, Receiver], local: Tab, database_url: str
) -> None:
    product, ledger = running
    await product.worker(RECIPIENT_RATE_LIMIT="0")
    await break_down(product, ledger, database_url, 12)
    ledger.answer = lambda _call: (202, {})
    page = local.page
    await local.open("/replays")
    await page.get_by_label("Per second").fill("1")
    await page.get_by_role("button", name="Preview…").click()
    await expect(page.get_by_role("heading", name="Send 12 again?")).to_be_visible()
    await local.accessible()
    await page.get_by_role("button", name="Send 12 again, 1 per second").click()
    await expect(page.get_by_text("The replay has started.")).to_be_visible()
    await page.get_by_role("button", name="Stop").click()
    await expect(page.locator("#replays")).to_contain_text("stopped")
    await local.accessible()
    await page.get_by_role("button", name="Resume").click()
    await expect(page.locator("#replays")).to_contain_text("finished", timeout=60_000)
    await until(lambda: len(ledger.accepted) == 12, what="the replayed messages")
    assert await audit_log(database_url) == [
        ("console:local", f"replay.{action}") for action in ("start", "stop", "resume")
    ]


async def test_no_page_of_dead_letters_has_a_serious_fault(
    running: tuple[Stack, Receiver], browser: Browser, database_url: str
) -> None:
    product, ledger = running
    await product.worker(RECIPIENT_RATE_LIMIT="0")
    await break_down(product, ledger, database_url, 3)
    connection = await asyncpg.connect(database_url)
    one = await connection.fetchval("SELECT id FROM dead_letters LIMIT 1")
    await connection.close()
    for look in LOOKS:
        opened = await tab(browser, product.base, **look)
        for path in (
            "/dead-letters",
            "/dead-letters?shown=all&range=week",
            f"/dead-letters/{one}",
            f"/dead-letters/preview?id={one}",
            f"/dead-letters/preview?id={one}&do=delete",
            "/dead-letters/preview?all=1",
            "/replays",
            "/replays/preview?since=2020-01-01T00:00",
        ):
            await opened.open(path)
            await opened.accessible()
            assert (
                await opened.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
            ), path
        opened.check()


BAD_QUESTIONS = (
    ("/dead-letters?tenant_id=x", "UUID"),
    ("/dead-letters?since=tomorrow", "RFC 3339"),
    ("/dead-letters/preview", "select at least one"),
    ("/dead-letters/preview?id=x", "no such dead letter"),
    ("/dead-letters/0198c5a0-0000-7000-8000-000000000000", "there is no dead letter"),
    ("/replays/preview?since=", "must be given"),
    ("/replays/preview?since=2020-01-01T00:00&rate=0", "above 0"),
    ("/replays/preview?since=2020-01-02T00:00&until=2020-01-01T00:00", "must lie after"),
)


async def test_bad_questions_are_answered_in_words(
    running: tuple[Stack, Receiver], local: Tab
) -> None:
    local.expected = "Failed to load resource"  # of the page itself: 404 or 422
    for path, said in BAD_QUESTIONS:
        await local.open(path)
        await expect(local.page.get_by_role("main")).to_contain_text(said)
        await local.accessible()
