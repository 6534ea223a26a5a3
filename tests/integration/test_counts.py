"""What a delivery costs, in counts instead of times: statements, Kafka's record batches, tasks.

Real processes.

Counted from the first create to the last record, 3,000 notifications in batches of 1,000, no
limits: statements as PostgreSQL logs them, without the polls and their BEGIN and COMMIT, whose
number depends on time and not on messages; record batches in the files of the broker, each a part
of a produce request; tasks of the worker's loop over its whole life.

How many messages share a statement depends on how fast they come, and so on the machine: a fast one
needs at most 30 statements for 1,000, a slow one at most 60 in a second, because groups gather the
longer the slower they are flushed.
"""

import re
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from notistream.local.services import LocalServices
from tests.receiver import receiver
from tests.services import dedicated_services, fresh_database
from tests.stack import messages, stack

pytestmark = [pytest.mark.integration, pytest.mark.full]
COUNT = 3_000
STATEMENT = re.compile(
    r"^notistream-(?:api|worker)\S* LOG:  (?:statement|execute [^:]*): (.*?)(?=^\S* ?[A-Z]+:  |\Z)",
    re.MULTILINE | re.DOTALL,
)
OF_MESSAGES = {
    "claim": "leases (token, owner, until, ids)",
    "finish": "AS f(id, token, status, reason, delay",
    "create": "idempotency_keys (tenant_id, key, notification_id, expires_at)",
    "batch": "INSERT INTO batches",
    "drop": "DELETE FROM leases",
    "published": "DELETE FROM outbox",
    "held": "UPDATE outbox SET held",
    "released": "UPDATE outbox o SET held = false",
    "events": "jsonb_to_record(line::jsonb)",
    "listening": "SELECT DISTINCT tenant_id FROM webhook_endpoints",
}
"""Words by which a statement of the way of a message is known."""


@pytest.fixture(scope="module")
def services() -> Iterator[LocalServices]:
    with dedicated_services() as made:
        yield made


def record_batches(folder: Path, prefix: str) -> int:
    """How many record batches the broker has stored for topics with this prefix."""
    return sum(
        _batches(segment.read_bytes())
        for part in folder.rglob(f"{prefix}.*-*")
        for segment in part.glob("*.log")
    )


def _batches(log: bytes) -> int:
    found = at = 0
    while at + 12 <= len(log) and (size := int.from_bytes(log[at + 8 : at + 12], "big")):
        found, at = found + 1, at + 12 + size
    return found


def kinds(log: str) -> Counter[str]:
    """How often each kind of statement ran that belongs to messages."""
    found: Counter[str] = Counter()
    for sql in STATEMENT.findall(log):
        found.update(kind for kind, words in OF_MESSAGES.items() if words in sql)
    return found


async def test_a_delivery_takes_few_statements_few_requests_and_few_tasks(
    services: LocalServices,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    admin = await asyncpg.connect(services.endpoints.database_url)
    for setting in ("log_line_prefix = '%a '", "log_statement = 'all'"):
        await admin.execute(f"ALTER SYSTEM SET {setting}")
    await admin.execute("SELECT pg_reload_conf()")
    await admin.close()
    log = services.state_dir / "postgres" / "server.log"
    tasks = str(tmp_path / "tasks-{pid}")
    monkeypatch.setenv("COUNT_TASKS", tasks)
    async with (
        receiver() as ledger,
        fresh_database(services.endpoints) as url,
        stack(
            database_url=url,
            brokers=services.endpoints.kafka_brokers,
            prefix="counts",
            folder=tmp_path,
            WEBHOOK_URL=ledger.url,
            RECIPIENT_RATE_LIMIT="0",
            WORKER_CONCURRENCY="256",
        ) as product,
    ):
        await product.api()
        product.module = ("tests.counting",)
        worker = await product.worker()
        before, began = log.stat().st_size, time.monotonic()
        for batch in [
            await product.batch(messages(1000, start=first)) for first in range(0, COUNT, 1000)
        ]:
            await product.batch_ended(batch)
        seconds = time.monotonic() - began
        with log.open("rb") as file:
            file.seek(before)
            said = file.read().decode(errors="replace")
        assert len(ledger.accepted) == COUNT
        produced = record_batches(services.state_dir / "kafka", "counts")
        assert worker.child is not None
        await worker.kill(signal.SIGTERM)
        ran = int(Path(tasks.format(pid=worker.child.pid)).read_text("utf-8"))  # noqa: ASYNC240
    by_kind = kinds(said)
    statements = sum(by_kind.values())
    with capsys.disabled():
        shown = ", ".join(
            f"{kind} {count * 1000 / COUNT:.0f}" for kind, count in by_kind.most_common()
        )
        sys.stdout.write(
            f"\nper 1,000 in {seconds:.1f} s: {statements * 1000 / COUNT:.0f} statements ({shown}),"
            f" {produced * 1000 / COUNT:.0f} record batches, {ran * 1000 / COUNT:.0f} tasks\n"
        )
    assert (by_kind["create"], by_kind["batch"]) == (COUNT / 1000, COUNT / 1000)
    assert by_kind["listening"] == 0  # nobody has a webhook endpoint
    assert statements <= max(30 * COUNT / 1000, 60 * seconds)
    assert produced <= max(30 * COUNT / 1000, 60 * seconds)
    assert ran <= 10 * COUNT
