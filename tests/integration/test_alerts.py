"""The shipped alerts on real data: each trouble is made, a real Prometheus scrapes, and the alert fires."""

import signal
from pathlib import Path

import pytest

from notistream.db import migrate
from tests.prometheus import Prometheus, needs_prometheus, prometheus
from tests.receiver import receiver
from tests.services import dedicated_services, topic_prefix
from tests.stack import messages, stack, until

pytestmark = [pytest.mark.integration, pytest.mark.faults, needs_prometheus]


@pytest.mark.timeout(300)
async def test_each_trouble_makes_its_alert_fire_and_quiet_ends_it(tmp_path: Path) -> None:
    with dedicated_services() as services:
        endpoints = services.endpoints
        await migrate.up(endpoints.database_url)
        async with receiver() as ledger, stack(
            database_url=endpoints.database_url, brokers=endpoints.kafka_brokers, prefix=topic_prefix(),
            folder=tmp_path, WEBHOOK_URL=ledger.url, BREAKER_OPEN_S="3",
        ) as product:
            api, worker = await product.api(), await product.worker()
            targets = {f"127.0.0.1:{api.port}": "api", f"127.0.0.1:{worker.port}": "worker"}
            async with prometheus(tmp_path, targets) as seen:

                async def fires(name: str, **labels: str) -> None:
                    await until(lambda: seen.fires(name, **labels), what=f"{name} to fire")

                async def ends(name: str) -> None:
                    async def quiet() -> bool:
                        return not await seen.fires(name)

                    await until(quiet, what=f"{name} to end")

                await product.batch_ended(await product.batch(messages(5)))
                await until(lambda: _calm(seen), what="no alert to fire")

                ledger.answer = lambda _call: (400, {})
                await product.batch_ended(await product.batch(messages(15)))
                await fires("DeadLettersGrowing", channel="sms")

                ledger.answer = lambda _call: (503, {})
                outage = await product.batch(messages(10, start=100, priority="high"))
                await fires("BreakerOpen", channel="sms", provider="webhook")
                await fires("ProviderErrors", channel="sms", provider="webhook")
                ledger.answer = lambda _call: (202, {})
                await product.batch_ended(outage)
                await ends("BreakerOpen")

                broker = services.kafka.process()
                assert broker is not None
                broker.send_signal(signal.SIGSTOP)
                stuck = await product.batch(messages(5, start=200))
                await fires("OutboxStuck")
                broker.send_signal(signal.SIGCONT)
                await product.batch_ended(stuck)
                await ends("OutboxStuck")

                await worker.kill()
                await fires("ScrapeDown", role="worker")
                await fires("NoWorkers")


async def _calm(seen: Prometheus) -> bool:
    """Both are scraped, and all that a first start leaves undone, the first audit for one, is done."""
    return await seen.value("count(up == 1)") == 2 and not await seen.firing()
