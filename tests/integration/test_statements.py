"""Every statement of `notistream/db/sql` is one that PostgreSQL accepts on a migrated database."""

import asyncpg
import pytest

from notistream.db.queries import load
from tests.unit.test_queries import STEMS

pytestmark = pytest.mark.integration


async def test_postgresql_accepts_every_statement(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    faults = []
    for query in (query for stem in STEMS for query in load(stem).values()):
        try:
            prepared = await connection.prepare(query.text)
        except asyncpg.PostgresError as exc:
            faults.append(f"{query.name}: {exc}")
            continue
        given = sum(len(columns or "1") for columns in query.columns.values())
        if len(prepared.get_parameters()) != given:
            faults.append(f"{query.name}: not as many parameters as the statement has")
    await connection.close()
    assert not faults, "\n".join(faults)
