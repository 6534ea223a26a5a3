"""Inboxes over the real API and a real PostgreSQL: kept once, counted right, in the order of the
commits.
"""

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from notistream.access.authentication import new_key
from notistream.db import inbox, tenants
from notistream.db.pool import Database
from notistream.delivery.ports import Message
from notistream.domain.outcome import Accepted
from notistream.providers.api import Context, ProviderSettings, TemporaryError
from notistream.providers.in_app import InAppProvider
from notistream.realtime.hub import InboxWakeup
from notistream.realtime.inbox import Inbox
from notistream.realtime.inbox_watch import InboxWatch
from notistream.runtime import Runtime
from notistream.web.inbox.routes import REALTIME
from tests.integration.test_api_contract import serving
from tests.unit.web_fakes import Client, pointers, problem_of

pytestmark = pytest.mark.integration

BASE = "/api/v1/inbox"
SECRET = "inbox-test-secret-0123456789abcdefgh"
ANN = {"X-Recipient-ID": "ann"}


class Post:
    """A tenant and a way to bring messages into its recipients' inboxes."""

    def __init__(self, client: Client, runtime: Runtime, tenant_id: UUID) -> None:
        self.client = client
        self.runtime = runtime
        self.tenant_id = tenant_id
        self.db: Database = runtime.database

    def message(self, text: str, recipient: str = "ann", **fields: Any) -> Message:
        given = {
            "notification_id": uuid7(),
            "tenant_id": self.tenant_id,
            "channel": "in_app",
            "recipient": recipient,
            "subject": "s",
            "content": text,
            "payload": {"n": text},
            "idempotency_key": text,
        }
        return Message(**{**given, **fields})

    async def keep(self, *texts: str, recipient: str = "ann") -> list[UUID]:
        return [await self.runtime.inbox.keep(self.message(text, recipient)) for text in texts]

    async def get(self, path: str = "", **headers: str) -> Any:
        answer = await self.client.get(BASE + path, headers={**ANN, **headers})
        assert answer.status == 200, await answer.text()
        return await answer.json()

    async def bodies(self, path: str = "") -> list[str]:
        return [m["body"] for m in (await self.get(path))["data"]]

    async def unread(self) -> int:
        return int((await self.get("/unread-count"))["unread"])


@pytest.fixture
async def post(database_url: str) -> AsyncIterator[Post]:
    async with serving(database_url, jwt_secret=SECRET) as (client, runtime):
        tenant, _ = await tenants.create(runtime.database, "default")
        yield Post(client, runtime, tenant.id)


@pytest.mark.parametrize(
    "route",
    [r for r in REALTIME if r.operation and 101 not in r.operation.answers],
    ids=lambda r: f"{r.method} {r.path}",
)
async def test_documented_examples_work(post: Post, route: Any) -> None:
    (one,) = await post.keep("a")
    for body in route.operation.body.examples.values() if route.operation.body else [None]:
        answer = await post.client.request(
            route.method,
            route.path.format(id=one),
            headers=ANN,
            **({} if body is None else {"json": body}),
        )
        assert answer.status in route.operation.answers, await answer.text()


async def test_listed_newest_first_page_by_page(post: Post) -> None:
    ids = await post.keep("a", "b", "c", "d", "e")
    assert await post.bodies() == ["e", "d", "c", "b", "a"]
    page = await post.get("?page_size=2")
    assert ([m["body"] for m in page["data"]], page["next_cursor"]) == (["e", "d"], str(ids[3]))
    page = await post.get(f"?page_size=2&cursor={page['next_cursor']}")
    assert [m["body"] for m in page["data"]] == ["c", "b"]
    page = await post.get(f"?page_size=2&cursor={page['next_cursor']}")
    assert ([m["body"] for m in page["data"]], page["next_cursor"]) == (["a"], None)


async def test_reading_is_counted_once(post: Post) -> None:
    ids = await post.keep("a", "b", "c")
    assert await post.unread() == 3
    for _ in range(2):
        assert (await post.client.post(f"{BASE}/{ids[1]}/read", headers=ANN)).status == 204
        assert await post.unread() == 2
        assert await post.bodies("?unread=true") == ["c", "a"]
    read = next(m for m in (await post.get())["data"] if m["id"] == str(ids[1]))
    assert read["read_at"] is not None
    for _ in range(2):
        assert (await post.client.post(f"{BASE}/read-all", headers=ANN)).status == 204
        assert (await post.unread(), await post.bodies("?unread=true")) == (0, [])
    assert await post.bodies() == ["c", "b", "a"]


async def test_a_message_that_comes_again_is_kept_once(post: Post) -> None:
    message = post.message("a")
    first = await post.runtime.inbox.keep(message)
    again = await asyncio.gather(*(post.runtime.inbox.keep(message) for _ in range(20)))
    assert set(again) == {first}
    assert await inbox.keep(post.db, [message] * 3) == 0
    replayed = post.message("b", notification_id=message.notification_id, idempotency_key="a:2")
    assert await post.runtime.inbox.keep(replayed) != first
    assert (await post.bodies(), await post.unread()) == (["b", "a"], 2)


async def test_two_who_keep_the_same_message_at_once_keep_it_once(post: Post) -> None:
    """The second waits for the first, and looks again after it."""
    message = post.message("a")
    async with post.db.transaction() as db:
        assert await inbox.keep(db, [message]) == 1
        second = asyncio.create_task(inbox.keep(post.db, [message, post.message("b")]))
        while not await post.db.fetch("SELECT FROM pg_locks WHERE NOT granted"):
            await asyncio.sleep(0.01)
    assert await second == 1
    assert (await post.bodies(), await post.unread()) == (["b", "a"], 2)


async def test_places_are_in_the_order_of_the_commits(post: Post) -> None:
    """A transaction that began first and commits last does not put a message behind a reader's
    back.
    """
    async with post.db.transaction() as late:
        await late.fetch("SELECT txid_current()")
        await inbox.keep(post.db, [post.message("first")])
        await inbox.keep(late, [post.message("second")])
        blocked = asyncio.create_task(inbox.keep(post.db, [post.message("third")]))
        while not await post.db.fetch("SELECT FROM pg_locks WHERE NOT granted"):
            await asyncio.sleep(0.01)
        seen = await inbox.after(post.db, post.tenant_id, "ann", seq=0, limit=10)
        assert [(m.seq, m.body) for m in seen] == [(1, "first")]
    await blocked
    seen = await inbox.after(post.db, post.tenant_id, "ann", seq=1, limit=10)
    assert [(m.seq, m.body) for m in seen] == [(2, "second"), (3, "third")]


async def test_a_reader_that_follows_places_misses_nothing_while_many_write(post: Post) -> None:
    """Eight writers with transactions of any length; counts and places are right at the end."""
    chance = random.Random(3)
    total, seen, last = 200, [], 0

    async def write(texts: list[str]) -> None:
        for text in texts:
            async with post.db.transaction() as db:
                await inbox.keep(db, [post.message(text), post.message(f"x{text}", "ben")])
                await asyncio.sleep(chance.random() / 500)
            if chance.random() < 0.2:
                await inbox.mark_all_read(post.db, post.tenant_id, "ann")

    async def follow() -> None:
        nonlocal last
        while len(seen) < total:
            for message in await inbox.after(post.db, post.tenant_id, "ann", seq=last, limit=7):
                assert message.seq == last + 1
                seen.append(message.body)
                last = message.seq
            if chance.random() < 0.2 and seen:
                page = await inbox.page(
                    post.db, post.tenant_id, "ann", before=None, unread=True, limit=3
                )
                for message in page:
                    await inbox.mark_read(post.db, post.tenant_id, "ann", message.id)

    async with asyncio.timeout(60):
        await asyncio.gather(
            *(write([f"{w}.{i}" for i in range(total // 5)]) for w in range(5)), follow()
        )
    assert len(set(seen)) == total
    rows = await post.db.fetch(
        "SELECT count(*) AS n FROM inbox_messages WHERE recipient_id = 'ann' AND read_at IS NULL"
    )
    assert await post.unread() == rows[0]["n"]
    assert await inbox.last_seqs(
        post.db, [(post.tenant_id, "ann"), (post.tenant_id, "nobody")]
    ) == {(post.tenant_id, "ann"): total}


async def test_an_erased_inbox_is_empty_and_its_places_are_not_given_again(post: Post) -> None:
    await post.keep("a", "b")
    await post.keep("c", recipient="ben")
    assert await inbox.erase(post.db.of(post.tenant_id), post.tenant_id, "ann") == 2
    assert (await post.bodies(), await post.unread()) == ([], 0)
    await post.keep("d")
    (found,) = await inbox.after(post.db, post.tenant_id, "ann", seq=0, limit=5)
    assert (found.seq, await post.unread()) == (3, 1)
    assert (await post.get(**{"X-Recipient-ID": "ben"}))["data"][0]["body"] == "c"


async def test_nobody_sees_or_reads_what_is_anothers(post: Post) -> None:
    """Another recipient, with a header or a token, and another tenant."""
    (one,) = await post.keep("a")
    bearer = {
        "Authorization": (
            f"Bearer {post.runtime.realtime.tokens.issue(post.tenant_id, 'ben', ttl_s=60)}"
        )
    }
    other, _ = await tenants.create(post.db, "other")
    foreign = {
        "Authorization": f"Bearer {post.runtime.realtime.tokens.issue(other.id, 'ann', ttl_s=60)}"
    }
    key, prefix, hashed = new_key("live")
    await tenants.issue_key(
        post.db, other.id, tenants.NewKey(name="k", kind="live", prefix=prefix, hash=hashed)
    )
    for headers in (
        {"X-Recipient-ID": "ben"},
        {**ANN, **bearer},
        foreign,
        {**ANN, "X-API-Key": key},
    ):
        answer = await post.client.get(BASE, headers=headers)
        assert (await answer.json())["data"] == [], headers
        assert (await (await post.client.get(f"{BASE}/unread-count", headers=headers)).json()) == {
            "unread": 0
        }
        await problem_of(await post.client.post(f"{BASE}/{one}/read", headers=headers), 404)
        assert (await post.client.post(f"{BASE}/read-all", headers=headers)).status == 204
        answer = await post.client.get(f"{BASE}/stream?since={one}", headers={**headers, **UPGRADE})
        assert pointers(await problem_of(answer, 422)) == ["/query/since"]
    assert await post.unread() == 1


UPGRADE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


@pytest.mark.parametrize("headers", [{}, {"X-Recipient-ID": ""}, {"X-Recipient-ID": "u" * 256}])
async def test_the_recipient_must_be_named(post: Post, headers: dict[str, str]) -> None:
    for method, path in (
        ("GET", BASE),
        ("GET", f"{BASE}/unread-count"),
        ("POST", f"{BASE}/read-all"),
    ):
        answer = await post.client.request(method, path, headers=headers)
        problem = await problem_of(answer, 422)
        assert pointers(problem) == ["/header/X-Recipient-ID"]
        assert ("is required" in problem["detail"]) == (not headers)


@pytest.mark.parametrize(
    "query",
    [
        "page=2",
        "limit=0",
        "limit=101",
        "limit=1&page_size=0",
        "after_id=7",
        "after_id=01970000-0000-7000-8000-0000000000aa&cursor=7",
        "unread=perhaps",
        "token=x.y.z",
    ],
)
async def test_bad_parameters(post: Post, query: str) -> None:
    answer = await post.client.get(f"{BASE}?{query}", headers=ANN)
    await problem_of(answer, 401 if query.startswith("token") else 422)


async def test_the_provider_keeps_a_message_and_says_when_it_could_not(post: Post) -> None:
    message = post.message("a")
    receipt = await InAppProvider(ProviderSettings(), Context(inbox=post.runtime.inbox.keep)).send(
        message
    )
    assert receipt == Accepted(str(inbox.message_id(message)))
    assert post.runtime.providers.names()["in_app"] == ["in_app"]
    async with serving("postgresql://x@127.0.0.1:1/x") as (_, away):
        with pytest.raises(TemporaryError, match="database_unavailable"):
            await InAppProvider(ProviderSettings(), Context(inbox=away.inbox.keep)).send(message)


async def test_the_watch_wakes_streams_that_are_behind(post: Post) -> None:
    await post.keep("a", "b")
    watch = InboxWatch(post.db, every_s=3600)
    behind, ahead = InboxWakeup((post.tenant_id, "ann"), 1), InboxWakeup((post.tenant_id, "ann"), 2)
    for wakeup in (behind, ahead):
        watch.add(wakeup)
    await watch.look()
    await asyncio.wait_for(behind.wait(), 1)
    woken = asyncio.ensure_future(ahead.wait())
    await asyncio.sleep(0)
    assert not woken.done(), "a stream that has sent all was woken"
    woken.cancel()
    for wakeup in (behind, ahead):
        watch.remove(wakeup)
    await watch.close()


async def test_many_at_once_are_few_statements(post: Post) -> None:
    kept: list[int] = []

    class Counting(Inbox):
        async def _keep(self, messages: Any) -> Any:
            kept.append(len(messages))
            return await super()._keep(messages)

    box = Counting(post.db)
    await asyncio.gather(*(box.keep(post.message(str(i), f"r{i % 10}")) for i in range(200)))
    assert sum(kept) == 200
    assert len(kept) <= 3
