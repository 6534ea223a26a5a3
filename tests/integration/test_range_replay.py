"""Range replay on a real database: what the survey says happens, once per replay, whoever takes the
steps.
"""

import asyncio
import json
import signal
import sys
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from notistream.db import audit_log, notifications, suppressions, tenants
from notistream.db import range_replays as stored
from notistream.db.ids import id_at
from notistream.db.pool import Database
from notistream.db.range_replays import Range
from notistream.dead_letters.range_replay import RangeReplays, allowed
from notistream.domain.notification import NewNotification, Priority
from notistream.domain.suppression import SuppressionReason
from notistream.errors import Conflict
from tests.receiver import receiver
from tests.stack import ROOT, stack, until

pytestmark = pytest.mark.integration
EVERYTHING = Range(since=datetime.now(UTC) - timedelta(days=1))


class World:
    """A tenant with notifications that have ended, and replays of them."""

    def __init__(self, db, tenant_id):
        self.db = db
        self.tenant_id = tenant_id
        self.replays = RangeReplays(db)

    async def ended(self, count=1, *, status="failed", outcome=None, **fields):
        defaults = {
            "tenant_id": self.tenant_id,
            "channel": "sms",
            "priority": Priority.HIGH,
            "recipient_id": None,
            "content": "hi",
        }
        new = [
            NewNotification(
                **{"id": uuid7(), "recipient": f"+9050000000{i:02}", **defaults, **fields}
            )
            for i in range(count)
        ]
        await notifications.create(self.db, new, window=timedelta(days=7))
        ids = [n.id for n in new]
        await self.db.fetch("UPDATE notifications SET status = $2 WHERE id = ANY ($1)", ids, status)
        await self.db.fetch("DELETE FROM outbox")
        if outcome:
            await self.db.fetch(
                "INSERT INTO attempts (notification_id, chain, number, started_at, outcome)"
                " SELECT id, 1, 1, now(), $2 FROM unnest($1::uuid[]) AS w(id)",
                ids,
                outcome,
            )
        return ids

    async def survey(self, meant=EVERYTHING, replay_id=None):
        return await self.replays.survey(meant, replay_id=replay_id or uuid7())

    async def start(self, meant=EVERYTHING, *, replay_id=None, rate=10_000.0, total=0):
        replay_id = replay_id or uuid7()
        return await self.replays.start(
            replay_id, meant, rate=rate, total=total, actor=audit_log.CLI
        )

    async def finish(self, replay_id):
        """Take all steps that are left, as if time were no matter."""
        while (found := await self.replays.get(replay_id)).state == "running":
            await self.rested(replay_id)
            await self.replays.step(replay_id)
        return found

    async def rested(self, replay_id, seconds=2):
        await self.db.fetch(
            "UPDATE replays SET updated_at = now() - $2::interval WHERE id = $1",
            replay_id,
            timedelta(seconds=seconds),
        )

    async def queued_ids(self):
        """Of the outbox entries that replays made, one for each time that something was queued."""
        return [i for row in await self.db.fetch("SELECT ids FROM outbox") for i in row["ids"]]


@pytest.fixture
async def world(database_url):
    db = Database(database_url, size=6, name="test")
    tenant, _ = await tenants.create(db, "default")
    yield World(db, tenant.id)
    await db.close()


async def test_what_the_survey_says_happens(world):
    to_send = await world.ended(7)
    in_doubt = await world.ended(2, outcome="unknown", recipient="+905000000033")
    await world.ended(
        3, outcome="delivered", recipient="+905000000044"
    )  # delivered late, then failed
    await world.ended(
        4, recipient="+905000000055", expires_at=datetime.now(UTC) - timedelta(minutes=1)
    )
    await world.ended(5, channel="email", recipient="Gone@Example.org")
    await suppressions.put(
        world.db,
        world.tenant_id,
        suppressions.Suppression(
            channel="email",
            address="gone@example.org",
            reason=SuppressionReason.BOUNCE,
            note=None,
        ),
    )
    await world.db.fetch(
        "INSERT INTO preferences (tenant_id, recipient_id, channels, categories)"
        " VALUES ($1, 'off', '{\"push\": {\"enabled\": false}}', '{\"marketing\": false}')",
        world.tenant_id,
    )
    await world.ended(2, channel="push", recipient="token", recipient_id="off")
    await world.ended(1, recipient_id="off", category="marketing")
    await world.ended(6, status="delivered", recipient="+905000000066")
    wanted = await world.ended(2, recipient_id="off", category="billing")
    survey = await world.survey()
    assert {
        v: survey.count(v)
        for v in ("send", "duplicate", "expired", "suppressed", "unwanted", "replayed")
    } == {"send": 11, "duplicate": 3, "expired": 4, "suppressed": 5, "unwanted": 3, "replayed": 0}
    assert (survey.total, survey.perhaps_again, survey.replayed_before) == (26, 2, 0)
    done = await world.finish((await world.start()).id)
    assert (done.state, done.queued, done.skipped) == ("finished", 11, 15)
    assert sorted(await world.queued_ids()) == sorted([*to_send, *in_doubt, *wanted])
    rows = await world.db.fetch("SELECT status, count(*) AS count FROM notifications GROUP BY 1")
    assert {r["status"]: r["count"] for r in rows} == {"pending": 11, "failed": 15, "delivered": 6}


async def test_the_same_id_twice_sends_nothing_twice(world):
    ids = await world.ended(20)
    first = await world.finish((await world.start()).id)
    await world.db.fetch("UPDATE notifications SET status = 'failed'")  # all of them failed again
    again = await world.start(replay_id=first.id)
    assert again.state == "finished"
    assert await world.replays.step() == 0
    await world.db.fetch(
        "UPDATE replays SET state = 'running', last_id = NULL"
    )  # even from the beginning
    repeated = await world.finish(first.id)
    assert (repeated.queued, repeated.skipped) == (20, 20)
    assert sorted(await world.queued_ids()) == sorted(ids)
    survey = await world.survey(replay_id=first.id)
    assert (survey.count("replayed"), survey.count("send"), survey.replayed_before) == (20, 0, 20)
    assert (await world.survey()).count("send") == 20  # another replay may send them


async def test_it_stops_and_resumes_where_it_was(world, monkeypatch):
    monkeypatch.setattr("notistream.dead_letters.range_replay.QUEUED_AT_ONCE", 8)
    ids = await world.ended(20)
    running = await world.start()
    await world.rested(running.id)
    assert await world.replays.step() == 8
    stopped = await world.replays.stop(running.id, actor=audit_log.CLI)
    assert (stopped.state, stopped.queued) == ("stopped", 8)
    await world.rested(running.id)
    assert await world.replays.step() == 0
    resumed = await world.start(replay_id=running.id, rate=5000.0)
    assert (resumed.state, resumed.rate, resumed.queued) == ("running", 5000.0, 8)
    assert (await world.finish(running.id)).queued == 20
    assert sorted(await world.queued_ids()) == sorted(ids)
    actions = [e.action for e in reversed(await audit_log.list_page(world.db, limit=10))]
    assert actions == ["replay.start", "replay.stop", "replay.resume"]


async def test_two_workers_take_turns_and_nothing_twice(world, monkeypatch):
    monkeypatch.setattr("notistream.dead_letters.range_replay.QUEUED_AT_ONCE", 5)
    ids = await world.ended(60)
    running = await world.start()
    other = RangeReplays(world.db)
    while (await world.replays.get(running.id)).state == "running":
        await world.rested(running.id)
        await asyncio.gather(world.replays.step(), other.step(), world.replays.step())
    assert sorted(await world.queued_ids()) == sorted(ids)
    assert (await world.replays.get(running.id)).queued == 60


async def test_the_rate_holds_whoever_steps(world):
    await world.ended(50)
    running = await world.start(rate=1.0)
    assert await world.replays.step() == 0
    await world.rested(running.id, seconds=1)
    assert [await world.replays.step() for _ in range(3)] == [1, 0, 0]
    await world.rested(running.id, seconds=3600)  # nobody ran: that does not add up to a burst
    assert 2 <= sum([await world.replays.step() for _ in range(5)]) <= 4


@pytest.mark.parametrize(
    ("rate", "rested_s", "expected"),
    [
        (100.0, 0.5, 50),
        (100.0, 60.0, 200),
        (0.1, 10.0, 1),
        (0.1, 3600.0, 1),
        (10_000.0, 2.0, 1000),
    ],
)
def test_how_many_a_step_may_queue(rate, rested_s, expected):
    assert allowed(rate, rested_s) == expected


async def test_the_range_is_by_time_channel_tenant_and_status(world):
    other, _ = await tenants.create(world.db, "other")
    now = datetime.now(UTC)
    old = [
        (await world.ended(id=UUID(int=id_at(now - timedelta(hours=2)).int + i)))[0]
        for i in range(3)
    ]
    await world.db.fetch("UPDATE notifications SET created_at = now() - interval '2 hours'")
    mails = await world.ended(4, channel="email", recipient="a@example.org")
    theirs = await world.ended(5, tenant_id=other.id)
    expired = await world.ended(2, status="expired")
    await world.ended(1, status="unknown")

    async def found(**fields):
        meant = Range(**{"since": now - timedelta(hours=1), **fields})
        page = await stored.page(
            world.db,
            meant,
            stored.Portion(after=None, scan=1000, take=1000),
            until=meant.until or datetime.now(UTC) + timedelta(minutes=1),
            replay_id=uuid7(),
        )
        return {item.notification_id for item in page.items}

    assert await found() == {*mails, *theirs}
    assert await found(since=now - timedelta(hours=3), until=now - timedelta(hours=1)) == set(old)
    assert await found(since=now - timedelta(hours=3)) == {*old, *mails, *theirs}
    assert await found(channel="email") == set(mails)
    assert await found(tenant_id=other.id) == set(theirs)
    assert await found(statuses=("failed", "expired")) == {*mails, *theirs, *expired}


async def test_long_stretches_without_a_match_are_crossed_in_portions(world, monkeypatch):
    monkeypatch.setattr("notistream.dead_letters.range_replay.SCANNED_AT_ONCE", 10)
    await world.ended(35, status="delivered")
    ids = await world.ended(3)
    await world.ended(35, status="delivered")
    assert (await world.survey()).total == 3
    done = await world.finish((await world.start()).id)
    assert (done.queued, done.skipped) == (3, 0)
    assert sorted(await world.queued_ids()) == sorted(ids)


async def test_delivered_ones_are_sent_again_only_where_that_is_asked_for(world):
    ids = await world.ended(3, status="delivered", outcome="delivered")
    assert (await world.survey()).total == 0
    meant = Range(since=EVERYTHING.since, statuses=("delivered",))
    survey = await world.survey(meant)
    assert (survey.count("send"), survey.perhaps_again) == (3, 3)
    await world.finish((await world.start(meant)).id)
    assert sorted(await world.queued_ids()) == sorted(ids)


async def test_an_id_belongs_to_one_range(world):
    running = await world.start()
    with pytest.raises(Conflict):
        await world.start(Range(since=EVERYTHING.since, channel="sms"), replay_id=running.id)


async def test_replays_are_listed_newest_first(world):
    made = [(await world.start()).id for _ in range(5)]
    first = await stored.list_page(world.db, before=None, limit=3)
    second = await stored.list_page(world.db, before=first[-1].id, limit=3)
    assert [r.id for r in [*first, *second]] == made[::-1]


ADMIN = {"X-Admin-Token": "test-admin-token-0123456789"}


@pytest.fixture
async def refused(endpoints, database_url, topics_prefix, tmp_path):
    """A product whose receiver has refused thirty messages and is healthy since."""
    async with (
        receiver() as ledger,
        stack(
            database_url=database_url,
            brokers=endpoints.kafka_brokers,
            prefix=topics_prefix,
            folder=tmp_path,
            WEBHOOK_URL=ledger.url,
        ) as product,
    ):
        await product.api()
        await product.worker()
        ledger.answer = lambda _call: (400, {})
        await product.batch_ended(
            await product.batch(
                [
                    {"channel": "sms", "recipient": f"+90500000{i:04}", "content": str(i)}
                    for i in range(30)
                ]
            )
        )
        ledger.answer = lambda _call: (202, {})
        yield product, ledger


async def start_cli(product, *command):
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "notistream",
        "replay",
        *command,
        cwd=ROOT,
        env=product._env,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def cli(product, *command):
    """Exit status and output of `notistream replay`."""
    child = await start_cli(product, *command)
    out, _ = await child.communicate()
    return child.returncode, out.decode()


async def test_the_command_shows_then_sends_once(refused):
    product, ledger = refused
    status, out = await cli(product, "--since", "1h")
    assert (status, "30 found, 30 to send" in out, "nothing was sent" in out) == (0, True, True)
    status, out = await cli(product, "--since", "1h", "--json", "--channel", "email")
    assert (status, json.loads(out)["total"]) == (0, 0)
    assert not ledger.accepted
    status, out = await cli(product, "--since", "1h", "--rate", "500", "--yes", "--json")
    done = json.loads(out)
    assert (status, done["state"], done["queued"], done["skipped"]) == (0, "finished", 30, 0)
    await until(lambda: len(ledger.accepted) == 30, what="all to arrive")
    assert all(
        key.endswith(":2") for key in ledger.accepted
    )  # a new chain has a new key at the provider
    assert (await cli(product, "--id", done["id"], "--yes"))[0] == 0
    status, out = await cli(product, "--since", "1h", "--status", "delivered")
    assert "30 of them were delivered" in out
    assert ledger.duplicates == 0
    assert (await cli(product, "--id", str(uuid7())))[0] == 1
    assert (await cli(product))[0] == 2
    assert (await cli(product, "--since", "1h", "--yes", "--dry-run"))[0] == 2


async def test_ctrl_c_stops_the_command_and_id_goes_on_with_it(refused):
    product, ledger = refused
    replay_id = str(uuid7())
    child = await start_cli(product, "--since", "1h", "--rate", "2", "--id", replay_id, "--yes")
    await until(lambda: len(ledger.accepted) >= 2, what="some to arrive")
    child.send_signal(signal.SIGINT)
    out, _ = await child.communicate()
    assert (child.returncode, f"--id {replay_id} --yes" in out.decode()) == (1, True)
    _, found = await product.call("GET", f"/internal/replays/{replay_id}", headers=ADMIN)
    assert (found["state"], 2 <= found["queued"] < 30) == ("stopped", True)
    status, out = await cli(product, "--id", replay_id, "--yes", "--rate", "1000")
    assert (status, "30 queued again, 0 skipped, of 30" in out) == (0, True)
    await until(lambda: len(ledger.accepted) == 30, what="the rest to arrive")
    assert ledger.duplicates == 0


async def test_over_http_it_outlives_the_api_process_and_stops_when_told(refused):
    product, ledger = refused
    since = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    status, survey = await product.call(
        "POST", "/internal/replays", {"since": since}, headers=ADMIN
    )
    assert (status, survey["to_send"], survey["dry_run"]) == (200, 30, True)
    body = {"since": since, "rate": 5, "id": str(uuid7()), "dry_run": False}
    status, started = await product.call("POST", "/internal/replays", body, headers=ADMIN)
    assert (status, started["state"], started["total"]) == (202, "running", 30)
    await until(lambda: len(ledger.accepted) >= 3, what="some to arrive")
    status, stopped = await product.call(
        "POST", f"/internal/replays/{body['id']}/stop", headers=ADMIN
    )
    assert (status, stopped["state"]) == (200, "stopped")
    await until(lambda: len(ledger.accepted) == stopped["queued"], what="what was queued to arrive")
    _, page = await product.call("GET", "/internal/replays", headers=ADMIN)
    assert [(r["id"], r["queued"]) for r in page["data"]] == [(body["id"], stopped["queued"])]
    status, conflict = await product.call(
        "POST", "/internal/replays", {**body, "channel": "sms"}, headers=ADMIN
    )
    assert (status, conflict["code"]) == (409, "conflict")
    await product.call("POST", "/internal/replays", {**body, "rate": 50}, headers=ADMIN)
    api = next(process for process in product.processes if process.role == "api")
    await api.kill()
    await until(lambda: len(ledger.accepted) == 30, what="the rest to arrive without the API")
    assert ledger.duplicates == 0
