"""A new version while messages come in: process by process, in the order of docs/deployment.md,
nobody notices.
"""

import asyncio
import signal

import pytest

from tests.stack import messages, until

pytestmark = [
    pytest.mark.integration,
    pytest.mark.faults,
    pytest.mark.full,
    pytest.mark.timeout(300),
]

AT_ONCE = 10
PAUSE_S = 0.1
BETWEEN = 150


class Load:
    """Batches, one after the other, to the API process that `url` names."""

    def __init__(self, product, url):
        self._product = product
        self.url = url
        self.batches = []
        self.refused = []
        self.stopped = False

    async def run(self):
        while not self.stopped:
            items = messages(AT_ONCE, start=len(self.batches) * AT_ONCE)
            async with self._product.http.post(
                f"{self.url}/api/v1/notifications/batch", json={"notifications": items}
            ) as answer:
                if answer.status == 202:
                    self.batches.append((await answer.json())["batch"]["id"])
                else:
                    self.refused.append(answer.status)
            await asyncio.sleep(PAUSE_S)


async def test_every_process_is_replaced_under_load_and_nothing_is_lost_or_sent_twice(running):
    product, ledger = running
    ledger.delay_s = 0.02
    old_api = product.processes[0]
    workers = {slot: await product.worker(slot) for slot in (0, 1)}
    load = Load(product, old_api.url)
    running_load = asyncio.create_task(load.run())

    async def more():
        before = len(ledger.accepted)
        await until(
            lambda: len(ledger.accepted) > before + BETWEEN, what=f"{BETWEEN} deliveries more"
        )

    await more()
    for slot, worker in workers.items():
        assert await worker.kill(signal.SIGTERM) == 0
        workers[slot] = await product.worker(slot)
        await more()
    new_api = await product.api()
    await product.ready(new_api)
    load.url = (
        new_api.url
    )  # what a proxy does once the new process is ready, before the old one is told to stop
    await asyncio.sleep(PAUSE_S * 2)
    assert await old_api.kill(signal.SIGTERM) == 0
    product.processes.append(
        product.processes.pop(0)
    )  # from now on the product's API is the new one
    await more()
    load.stopped = True
    await running_load
    assert load.refused == []
    for batch in load.batches:
        assert (await product.batch_ended(batch))["delivered_count"] == AT_ONCE
    assert (len(ledger.accepted), ledger.duplicates) == (len(load.batches) * AT_ONCE, 0)
    assert " + 0 waiting + 0 missing" in await product.run("audit")
    for worker in workers.values():
        assert await product.metric(worker, "notistream_possible_duplicates_total") == 0
