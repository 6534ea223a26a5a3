"""`make screenshots`: a furnished installation, and pictures of its console, light and dark, wide
and narrow.
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg

from tests.console.browser import CHROMIUM, NARROW, WIDE, Tab, chromium, tab
from tests.console.furniture import furnish_people
from tests.hooks import LOOPBACK
from tests.receiver import Receiver, receiver
from tests.services import delete_topics, fresh_database, session_services, topic_prefix
from tests.stack import ROOT, Stack, messages, stack, until

LARGEST = 150_000
TALLEST = {"wide": 1150, "narrow": 1600}
DENSE = {"health": 850, "dead-letters": 1000}
"""Pages with so much text that a smaller part of them has to do."""
Before = Callable[[Tab], Awaitable[None]]


async def _nothing(_tab: Tab) -> None:
    """Nothing to do before the picture."""


async def _charts_are_drawn(one: Tab) -> None:
    await one.page.locator("#lanes table").wait_for()


async def _examined(one: Tab) -> None:
    await one.page.locator("#checks li").first.wait_for(timeout=60_000)


def _first_link(selector: str) -> Before:
    """Go where the first of these links leads."""

    async def follow(one: Tab) -> None:
        await one.page.locator(selector).first.click()
        await one.page.locator("h1").wait_for()
        await one.page.wait_for_load_state()

    return follow


async def _one_failed(one: Tab) -> None:
    await one.page.locator("#found tbody").get_by_role("link").first.click()
    await one.page.locator("#calls").wait_for()


async def _in_its_form(one: Tab) -> None:
    await one.page.get_by_role("link", name=TEMPLATE["name"]).click()
    await one.page.locator("#preview pre").wait_for()


async def _compared(one: Tab) -> None:
    await one.page.locator("#own-title ~ div").get_by_role("link", name="2", exact=True).click()
    await one.page.locator("pre.difference").first.wait_for()


SHOTS: dict[str, tuple[str, Before]] = {
    "overview": ("", _charts_are_drawn),
    "notifications": ("/notifications?recipient=user-123", _nothing),
    "notification": ("/notifications?status=failed", _one_failed),
    "templates": ("/templates", _nothing),
    "template": ("/templates", _in_its_form),
    "template-versions": ("/templates", _compared),
    "dead-letters": ("/dead-letters", _nothing),
    "replays": ("/replays", _nothing),
    "recipients": ("/recipients", _nothing),
    "recipient": ("/recipients", _first_link("tbody a")),
    "tenants": ("/tenants", _nothing),
    "tenant": ("/tenants?name=default", _nothing),
    "webhooks": ("/webhooks", _nothing),
    "webhook": ("/webhooks", _first_link("#endpoints tbody a")),
    "sandbox": ("/sandbox", _nothing),
    "sandbox-message": ("/sandbox?channel=email", _first_link("#messages a")),
    "audit-log": ("/audit-log", _nothing),
    "health": ("/health", _examined),
}
"""Name of the picture: the page, and what has to be there before it is taken."""

TEMPLATE = {
    "name": "order_shipped",
    "channel": "email",
    "subject": "Your order {{ order }} is on its way",
    "body": "Hello {{ name }},\n\nyour order {{ order }} arrives {{ day }}.\n\nYours, the shop",
    "html": "<p>Hello <b>{{ name }}</b>,</p><p>your order {{ order }} arrives {{ day }}.</p>",
    "variants": {
        "pt": {"subject": "A encomenda {{ order }} está a caminho", "body": "Olá {{ name }}!"}
    },
}

HISTORY = """
INSERT INTO channel_minutes (channel, minute, sent, failed, latency_ms_sum)
SELECT channel, minute, sum(sent) OVER hour, sum(failed) OVER hour, sum(sent * latency) OVER hour
FROM (
    SELECT channel, minute,
        greatest(0, (size * (1 + 0.5 * sin(extract(epoch FROM minute) / 7000))
            + 9 * sin(extract(epoch FROM minute) / 131))::bigint) AS sent,
        CASE WHEN extract(minute FROM minute)::integer % 13 = length(channel)
            THEN 2 ELSE 0 END AS failed,
        size * (1.5 + 0.3 * sin(extract(epoch FROM minute) / 311)) AS latency
    FROM (VALUES ('sms', 40), ('email', 65), ('push', 90), ('in_app', 25)) AS c(channel, size)
    CROSS JOIN generate_series(
        date_trunc('hour', now()) - interval '25 hours',
        date_trunc('minute', now()) - interval '1 minute',
        interval '1 minute'
    ) AS minute
) made
WINDOW hour AS (PARTITION BY channel, date_trunc('hour', minute) ORDER BY minute)
"""


async def furnish(product: Stack, ledger: Receiver, database: asyncpg.Connection) -> None:
    """Something to look at: a day of deliveries, some failed, a pause, and a few actions."""
    await database.execute(HISTORY)
    await database.execute(
        "INSERT INTO channel_totals (tenant_id, channel, hour, sent, failed, latency_ms_sum) SELECT"
        " t.id, m.channel, date_trunc('hour', now()), m.sent, m.failed, m.latency_ms_sum FROM"
        " tenants t, channel_minutes m WHERE m.minute = date_trunc('minute', now()) - interval '1"
        " minute' AND m.minute >= date_trunc('hour', now()) AND t.name = 'default'"
    )
    await product.worker(RECIPIENT_RATE_LIMIT="0", WEBHOOK_ALLOW_NETWORKS=LOOPBACK)
    ledger.answer = lambda call: (
        (int(call["content"]) % 7 * 5 + 400, {}) if call["to"].endswith("3") else (202, {})
    )
    await product.batch_ended(await product.batch(messages(120)))
    await furnish_people(product)
    await database.execute(
        "UPDATE dead_letters d SET created_at = created_at - n * n * n * interval '30 seconds' FROM"
        " (SELECT id, row_number() OVER (ORDER BY id DESC) AS n FROM dead_letters) ranked WHERE"
        " ranked.id = d.id"
    )
    await product.run("replay", "--since", "1h", "--status", "delivered", "--rate", "2", "--yes")
    await product.run("pause", "email", "--reason", "maintenance of the mail relay until 14:00")

    later = (datetime.now(UTC) + timedelta(hours=9)).isoformat()
    for channel, more in (
        ("sms", {}),
        ("in_app", {}),
        ("email", {}),
        ("sms", {"scheduled_at": later}),
    ):
        await product.create(
            channel=channel,
            recipient=None,
            recipient_id="user-123",
            content=None,
            template_id="welcome",
            template_variables={"Name": "Ada", "name": "Ada"},
            category="onboarding",
            **more,
        )
    _, template = await product.call("POST", "/api/v1/templates", TEMPLATE)
    text = {name: TEMPLATE[name] for name in ("subject", "html", "variants")}
    await product.call(
        "PUT",
        f"/api/v1/templates/{template['id']}",
        {
            **text,
            "body": (
                "Dear {{ name }},\n\nyour order {{ order }} arrives on {{ day }}.\n\nYours, the"
                " shop"
            ),
        },
    )

    async def buried() -> bool:
        return bool(await database.fetchval("SELECT count(*) FROM dead_letters"))

    await until(buried, what="dead letters")


async def draw(base: str, out: Path) -> list[Path]:
    """Every picture, and which of them are too large."""
    large = []
    async with chromium() as browser:
        for theme in ("light", "dark"):
            for size, viewport in (("wide", WIDE), ("narrow", NARROW)):
                one = await tab(browser, base, viewport=viewport, color_scheme=theme)
                for name, (path, before) in SHOTS.items():
                    await one.open(path)
                    await before(one)
                    file = out / f"console-{name}-{theme}-{size}.png"
                    height = await one.page.evaluate("document.documentElement.scrollHeight")
                    height = min(height, TALLEST[size], DENSE.get(name, height))
                    await one.page.set_viewport_size({**viewport, "height": height})
                    if len(await one.page.screenshot(path=file)) > LARGEST:
                        large.append(file)
                    await one.page.set_viewport_size(viewport)
                one.check()
    return large


async def main(out: Path) -> int:
    with session_services() as services, tempfile.TemporaryDirectory() as folder:
        prefix = topic_prefix()
        async with (
            fresh_database(services) as url,
            receiver() as ledger,
            stack(
                database_url=url,
                brokers=services.kafka_brokers,
                prefix=prefix,
                folder=Path(folder),
                WEBHOOK_URL=ledger.url,
            ) as product,
        ):
            await product.api()
            database = await asyncpg.connect(url)
            await furnish(product, ledger, database)
            await database.close()
            large = await draw(product.base, out)
        await delete_topics(services.kafka_brokers, prefix)
    for file in large:
        sys.stderr.write(f"over {LARGEST} bytes: {file}\n")
    return 1 if large else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images")
    if CHROMIUM is None:
        sys.exit("no Chromium on this machine: apt install chromium")
    folder = parser.parse_args().out
    folder.mkdir(parents=True, exist_ok=True)
    sys.exit(asyncio.run(main(folder)))
