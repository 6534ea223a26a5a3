"""The second wall: in a tenant's role PostgreSQL shows that tenant's rows only, whatever the
statement asks for.
"""

from uuid import uuid4

import asyncpg
import pytest

from notistream.db.pool import Database
from notistream.errors import DatabaseUnavailable

pytestmark = pytest.mark.integration
TABLE = (
    "CREATE TABLE walled (tenant_id uuid NOT NULL, word text NOT NULL); SELECT isolate('walled')"
)


@pytest.fixture
async def db(database_url: str):
    admin = await asyncpg.connect(database_url)
    await admin.execute(TABLE)
    await admin.close()
    opened = Database(database_url, size=2, name="test")
    yield opened
    await opened.close()


async def words(db) -> list[str]:
    return [row["word"] for row in await db.fetch("SELECT word FROM walled ORDER BY word")]


async def test_a_tenant_sees_and_changes_only_its_own_rows(db: Database) -> None:
    a, b = uuid4(), uuid4()
    await db.fetch("INSERT INTO walled VALUES ($1, 'a'), ($2, 'b')", a, b)
    assert await words(db.of(a)) == ["a"]
    assert await words(db.of(uuid4())) == []
    await db.of(a).fetch("UPDATE walled SET word = 'mine'")
    await db.of(a).fetch("DELETE FROM walled WHERE tenant_id = $1", b)
    assert await words(db) == ["b", "mine"]
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await db.of(a).fetch("INSERT INTO walled VALUES ($1, 'forged')", b)


async def test_a_transaction_is_rolled_back_and_the_role_does_not_stay(db: Database) -> None:
    a = uuid4()

    async def stopped() -> None:
        async with db.of(a).transaction() as transaction:
            await transaction.fetch("INSERT INTO walled VALUES ($1, 'a')", a)
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        await stopped()
    for _ in range(3):  # both connections of the pool
        rows = await db.fetch(
            "SELECT current_user = session_user AS own, current_tenant() AS tenant"
        )
        assert (rows[0]["own"], rows[0]["tenant"]) == (True, None)
    assert await words(db) == []


async def test_what_is_not_a_tenants_cannot_be_reached_in_its_role(db: Database) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await db.of(uuid4()).fetch("SELECT * FROM api_keys")


async def test_without_postgresql_it_says_so() -> None:
    db = Database("postgresql://nobody@127.0.0.1:1/none", size=1, name="test")
    with pytest.raises(DatabaseUnavailable):
        await db.of(uuid4()).fetch("SELECT 1")
    await db.close()
