"""Both kinds of idempotency key against an oracle: random steps on few keys and bodies, windows
that pass between.
"""

import random
from dataclasses import dataclass
from datetime import timedelta

import pytest
from uuid_utils.compat import uuid7

from notistream.db import notifications, tenants
from notistream.db.idempotency import RequestKey
from notistream.db.pool import Database
from notistream.domain.notification import NewNotification, Priority
from notistream.errors import IdempotencyKeyReused, RequestInFlight
from notistream.sending.idempotency import StoredAnswers

pytestmark = pytest.mark.integration
WINDOW = timedelta(days=7)
BODIES, KEYS, ROUTES = (b"", b"{}", b"{ }", b'{"a":1}'), ("k", "K", "k "), ("POST /a", "POST /b")
Place = tuple[int, str, str]


@dataclass
class Known:
    """What the oracle has of a key: which body took it, and its answer, where there is one."""

    body: bytes
    answer: bytes | None = None
    abandoned_by_its_server: bool = False


def expected(known: Known | None, body: bytes) -> object:
    """What a request with this body gets: its turn (None), an error, or the first answer."""
    if known is None or (
        known.answer is None and known.abandoned_by_its_server and known.body == body
    ):
        return None
    if known.body != body:
        return IdempotencyKeyReused
    return RequestInFlight if known.answer is None else known.answer


@pytest.mark.parametrize("seed", range(4))
async def test_header_keys_agree_with_the_oracle(seed: int, database_url: str) -> None:
    chance, oracle = random.Random(f"header {seed}"), dict[Place, Known]()
    db = Database(database_url, size=2, name="test")
    try:
        owners = [(await tenants.create(db, name))[0].id for name in ("one", "two")]
        replays = StoredAnswers(db, window=WINDOW)
        for step in range(200):
            place = (chance.randrange(2), chance.choice(ROUTES), chance.choice(KEYS))
            key = RequestKey(owners[place[0]], *place[1:])
            known = oracle.get(place)
            match chance.choice(
                ["request"] * 4 + ["complete", "abandon", "server dies", "window ends"]
            ):
                case "request":
                    body = chance.choice(BODIES)
                    wanted = expected(known, body)
                    assert await asked(replays, key, body) == wanted, (step, place, body)
                    if wanted is None:
                        oracle[place] = Known(body)
                case "complete" if known and known.answer is None:
                    known.answer = str(step).encode()
                    await replays.complete(key, status=202, headers={}, body=known.answer)
                case "abandon" if known:
                    await replays.abandon(key)  # an answer that was stored stays
                    if known.answer is None:
                        del oracle[place]
                case "server dies" if known and known.answer is None:
                    known.abandoned_by_its_server = True
                    await moved(db, key, "locked_until")
                case "window ends":
                    oracle.pop(place, None)
                    await moved(db, key, "expires_at")
    finally:
        await db.close()


async def asked(replays: StoredAnswers, key: RequestKey, body: bytes) -> object:
    try:
        stored = await replays.begin(key, body)
    except (IdempotencyKeyReused, RequestInFlight) as exc:
        return type(exc)
    return stored and stored.body


async def moved(db: Database, key: RequestKey, column: str) -> None:
    await db.fetch(
        f"UPDATE idempotent_requests SET {column} = now() - interval '1 second'"
        " WHERE tenant_id = $1 AND route = $2 AND key = $3",
        key.tenant_id,
        key.route,
        key.key,
    )


@pytest.mark.parametrize("seed", range(3))
async def test_body_keys_agree_with_the_oracle(seed: int, database_url: str) -> None:
    """Several in one statement, also twice the same.

    Each is held by the first that was stored within the window.
    """
    chance, holders = random.Random(f"body {seed}"), dict[tuple[int, str], object]()
    db = Database(database_url, size=2, name="test")
    try:
        owners = [(await tenants.create(db, name))[0].id for name in ("one", "two")]
        for _ in range(60):
            places = [
                (chance.randrange(2), chance.choice(KEYS)) for _ in range(chance.randint(1, 5))
            ]
            new = [
                NewNotification(
                    id=uuid7(),
                    tenant_id=owners[owner],
                    channel="sms",
                    priority=Priority.HIGH,
                    content="hi",
                    recipient="+905000000001",
                    recipient_id=None,
                    idempotency_key=key,
                )
                for owner, key in places
            ]
            wanted = set()
            for place, notification in zip(places, new, strict=True):
                if place not in holders:
                    holders[place] = notification.id
                    wanted.add(notification.id)
            created = await notifications.create(db, new, window=WINDOW)
            assert created.ids == wanted
            found = await notifications.find_by_keys(
                db, [(owners[owner], key) for owner, key in holders]
            )
            assert {(t, k): n.id for (t, k), n in found.items()} == {
                (owners[owner], key): holder for (owner, key), holder in holders.items()
            }
            if holders and chance.random() < 0.3:
                owner, key = chance.choice(sorted(holders))
                del holders[owner, key]
                await db.fetch(
                    "UPDATE idempotency_keys SET expires_at = now() - interval '1 second'"
                    " WHERE tenant_id = $1 AND key = $2",
                    owners[owner],
                    key,
                )
    finally:
        await db.close()
