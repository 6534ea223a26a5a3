"""`notistream doctor` on a real PostgreSQL and Kafka: what is wrong is named, with what to do about
it.
"""

import asyncio
import json
import socket
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from click.testing import CliRunner

from notistream.commands import cli
from notistream.db import migrate
from notistream.operating import diagnosis

pytestmark = pytest.mark.integration

CHECKS = ["settings", "database", "clock", "schema", "kafka", "topics", "providers", "admin"]


@pytest.fixture
def examine(endpoints, database_url, topics_prefix, monkeypatch, tmp_path):
    """Run the doctor in an empty folder: its exit status and what it found, by check.

    `topics` are made before.
    """
    monkeypatch.chdir(tmp_path)
    settings = {
        "DATABASE_URL": database_url,
        "KAFKA_BROKERS": endpoints.kafka_brokers,
        "TOPIC_PREFIX": topics_prefix,
        "TOPIC_PARTITIONS": "1",
        "ADMIN_TOKEN": "0123456789abcdef",
    }

    def put(names):
        for name, value in names.items():
            monkeypatch.setenv(f"NOTISTREAM_{name}", value)

    def run(*, topics=True, **others):
        put(settings)
        if topics:
            assert CliRunner().invoke(cli, ["topics"]).exit_code == 0
        put(others)
        result = CliRunner().invoke(cli, ["doctor", "--json"])
        found = json.loads(result.stdout)
        assert found["ok"] == (result.exit_code == 0)
        return result.exit_code, {check["check"]: check for check in found["checks"]}

    return run


def test_nothing_wrong(examine):
    status, found = examine()
    assert (status, list(found)) == (0, CHECKS)
    assert {check["state"] for check in found.values()} == {"ok"}
    assert not any(check["remedy"] for check in found.values())
    shown = CliRunner().invoke(cli, ["doctor"])
    assert shown.exit_code == 0
    assert [line.split()[:2] for line in shown.output.splitlines()] == [
        ["ok", check] for check in CHECKS
    ]


@pytest.mark.parametrize(
    ("setting", "value", "check", "word", "remedy"),
    [
        (
            "DATABASE_URL",
            "postgresql://x@127.0.0.1:1/x",
            "database",
            "not reachable",
            "NOTISTREAM_DATABASE_URL",
        ),
        (
            "DATABASE_URL",
            "nonsense",
            "settings",
            "NOTISTREAM_DATABASE_URL: it must begin with postgresql://",
            ".env",
        ),
        ("KAFKA_BROKERS", "127.0.0.1:1", "kafka", "not reachable", "NOTISTREAM_KAFKA_BROKERS"),
        ("TOPIC_PARTITIONS", "2", "topics", "has 1 partitions", "NOTISTREAM_TOPIC_PARTITIONS"),
        ("PROVIDERS", '{"sms": ["fax"]}', "providers", "no provider `fax`", "correct"),
        ("WEBHOOK_URL", "http://", "webhook", "names no host", "https://"),
        ("WEBHOOK_URL", "http://a:99999/", "webhook", "ort", "https://"),
        ("PORT", "x", "settings", "NOTISTREAM_PORT", ".env"),
        ("PROT", "1", "settings", "unknown setting NOTISTREAM_PROT", ".env"),
    ],
)
def test_what_fails_is_named_with_its_remedy(examine, setting, value, check, word, remedy):
    status, found = examine(**{setting: value})
    assert status == 1
    assert [c for c, finding in found.items() if finding["state"] == "failed"] == [check]
    assert word in found[check]["detail"]
    assert remedy in found[check]["remedy"]
    assert found["settings" if check == "settings" else "providers"]  # the other checks go on


def test_missing_topics(examine, topics_prefix):
    status, found = examine(topics=False)
    assert status == 1
    assert f"{topics_prefix}.sms.high is missing" in found["topics"]["detail"]
    assert "notistream topics" in found["topics"]["remedy"]


async def test_missing_migrations(examine, database_url):
    await migrate.down(database_url, steps=1)
    status, found = await asyncio.to_thread(examine)
    assert (status, found["schema"]["remedy"]) == (1, "notistream migrate up")
    assert str(migrate.known()[-1]) in found["schema"]["detail"]


async def test_it_changes_nothing(examine, database_url):
    async def rows():
        connection = await asyncpg.connect(database_url)
        try:
            return await connection.fetch("SELECT * FROM schema_migrations")
        finally:
            await connection.close()

    before = await rows()
    await asyncio.to_thread(examine, topics=False)
    assert await rows() == before
    # Looking at the topics of a broker that makes unknown ones on demand has made none.
    assert "missing" in (await asyncio.to_thread(examine, topics=False))[1]["topics"]["detail"]


def test_an_unreachable_receiver_and_no_admin_token_are_warnings(examine):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        status, found = examine(WEBHOOK_URL=f"http://127.0.0.1:{port}/hook", ADMIN_TOKEN="")
        assert status == 0
        assert {c for c, finding in found.items() if finding["state"] == "warning"} == {
            "webhook",
            "admin",
        }
        assert f"127.0.0.1:{port}" in found["webhook"]["detail"]
        probe.listen()
        assert examine(WEBHOOK_URL=f"http://127.0.0.1:{port}/hook")[1]["webhook"]["state"] == "ok"


@pytest.mark.parametrize(
    ("seconds", "state"), [(0, "ok"), (3, "warning"), (600, "failed"), (-600, "failed")]
)
def test_clocks_apart(examine, monkeypatch, seconds, state):
    class Clock(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.now(UTC) + timedelta(seconds=seconds)

    monkeypatch.setattr(diagnosis, "datetime", Clock)
    status, found = examine(topics=False)
    assert (found["clock"]["state"], status) == (state, 1)
    assert ("NTP" in found["clock"]["remedy"]) == (state != "ok")


def test_each_missing_setting_of_the_providers_in_use_is_named(examine):
    status, found = examine(PROVIDERS='{"email": ["smtp", "ses"]}', SES_REGION="eu-central-1")
    assert (status, found["providers"]["state"]) == (1, "failed")
    for name in ("NOTISTREAM_SMTP_HOST", "NOTISTREAM_SMTP_SENDER", "NOTISTREAM_SES_SENDER"):
        assert f"{name} is missing" in found["providers"]["detail"]
    assert "NOTISTREAM_SES_REGION" not in found["providers"]["detail"]


def test_every_provider_in_use_is_asked_about_its_credentials(examine):
    status, found = examine(
        PROVIDERS='{"email": ["ses", "smtp"]}',
        SMTP_HOST="127.0.0.1",
        SMTP_PORT="1",
        SMTP_SENDER="a@example.com",
        SES_REGION="eu-central-1",
        SES_SENDER="a@example.com",
        SES_ENDPOINT="http://127.0.0.1:1",
        SES_ACCESS_KEY_ID="AKID",
        SES_SECRET_ACCESS_KEY="planted",
    )
    assert status == 1
    assert {name: found[name]["state"] for name in ("smtp", "ses")} == {
        "smtp": "failed",
        "ses": "warning",
    }
    assert "127.0.0.1:1" in found["smtp"]["detail"]
    assert "NOTISTREAM_SMTP_HOST" in found["smtp"]["remedy"]
    assert "NOTISTREAM_SES_ENDPOINT" in found["ses"]["remedy"]
    assert "planted" not in str(found)
