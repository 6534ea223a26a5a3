"""Migrations only add: the code of the version before goes on running on the new schema, so that it
can be rolled back.

What an older table loses, an older process misses: a column or function that it names, a unique key
that its ON CONFLICT relies on, a row that it may insert. The exceptions are from before the first
release.
"""

import re

import pytest

from notistream.db import migrate

EXCEPTIONS = {
    5: {"DROP CONSTRAINT templates_tenant_id_channel_name_key"},
    6: {
        "DROP FUNCTION addresses_of",
        "DROP COLUMN push_tokens",
        "DROP CONSTRAINT suppressions_pkey",
    },
}
"""By number of the migration.

None may be added once a version is released: expand now, contract a release later.
"""

QUOTED = re.compile(r"\$(\w*)\$.*?\$\1\$|'(?:[^']|'')*'|BEGIN ATOMIC.*?\bEND;|--[^\n]*", re.DOTALL)
CREATED = re.compile(r"CREATE TABLE (\w+)")
ALTERED = re.compile(r"ALTER TABLE (?:ONLY )?(\w+)\s+(.*)", re.DOTALL)
COMMA = re.compile(r",(?![^(]*\))")
TAKES = [
    r"DROP (?:COLUMN|CONSTRAINT) (?:IF EXISTS )?\w+",
    r"RENAME .*",
    r"ALTER (?:COLUMN )?\w+ (?:SET DATA )?TYPE .*",
    r"ALTER (?:COLUMN )?\w+ SET NOT NULL",
    r"ALTER (?:COLUMN )?\w+ DROP DEFAULT",
    (
        r"ADD (?:COLUMN"
        r" )?(?!CONSTRAINT|PRIMARY|UNIQUE|CHECK|FOREIGN)(?!.*\bDEFAULT\b)(?!.*\bGENERATED\b).*\bNOT"
        r" NULL\b.*"
    ),
    r"ADD (?:CONSTRAINT \w+ )?(?:CHECK|UNIQUE|FOREIGN KEY)\b(?!.*\bNOT VALID\b).*",
]


def taken(sql: str, own: frozenset[str] = frozenset()) -> set[str]:
    """What the statements take from the tables and functions that were there, in their own words."""
    sql = QUOTED.sub(" ", sql)
    own = own | set(CREATED.findall(sql))
    found: set[str] = set()
    for statement in sql.split(";"):
        words = " ".join(statement.split())
        if altered := ALTERED.match(words):
            table, actions = altered.groups()
            if table not in own:
                found |= {
                    m[0]
                    for action in COMMA.split(actions)
                    for t in TAKES
                    if (m := re.match(t, action.strip()))
                }
        elif dropped := re.match(r"DROP (?:TABLE|FUNCTION|TYPE|VIEW) (?:IF EXISTS )?\w+", words):
            found.add(dropped[0])
    return found


@pytest.mark.parametrize("migration", migrate.known(), ids=str)
def test_a_migration_takes_nothing_away(migration: migrate.Migration) -> None:
    assert taken(migration.up) == EXCEPTIONS.get(migration.number, set())


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("ALTER TABLE t ADD COLUMN a text", set()),
        ("ALTER TABLE t ADD COLUMN a text NOT NULL DEFAULT ''", set()),
        ("ALTER TABLE t ADD COLUMN a bigint GENERATED ALWAYS AS IDENTITY NOT NULL", set()),
        ("ALTER TABLE t\n  ADD COLUMN a numeric(5, 2),\n  ADD COLUMN b text", set()),
        ("CREATE TABLE n (a text NOT NULL); ALTER TABLE n ADD COLUMN b text NOT NULL", set()),
        ("DROP INDEX i; CREATE INDEX i ON t (a)", set()),
        ("-- DROP TABLE t\nSELECT 1", set()),
        (
            "CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$ BEGIN DROP TABLE t; END $$",
            set(),
        ),
        (
            (
                "CREATE OR REPLACE FUNCTION f() RETURNS text LANGUAGE sql BEGIN ATOMIC SELECT 'DROP"
                " TABLE t'; END;"
            ),
            set(),
        ),
        ("ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID", set()),
        ("DROP TABLE t", {"DROP TABLE t"}),
        ("DROP TABLE IF EXISTS t", {"DROP TABLE IF EXISTS t"}),
        ("DROP FUNCTION f(text)", {"DROP FUNCTION f"}),
        ("ALTER TABLE t DROP COLUMN a", {"DROP COLUMN a"}),
        ("ALTER TABLE t ADD COLUMN b text, DROP COLUMN a", {"DROP COLUMN a"}),
        ("ALTER TABLE t DROP CONSTRAINT c", {"DROP CONSTRAINT c"}),
        ("ALTER TABLE t RENAME COLUMN a TO b", {"RENAME COLUMN a TO b"}),
        ("ALTER TABLE t RENAME TO u", {"RENAME TO u"}),
        ("ALTER TABLE t ALTER COLUMN a TYPE bigint", {"ALTER COLUMN a TYPE bigint"}),
        ("ALTER TABLE t ALTER COLUMN a SET NOT NULL", {"ALTER COLUMN a SET NOT NULL"}),
        ("ALTER TABLE t ALTER a DROP DEFAULT", {"ALTER a DROP DEFAULT"}),
        ("ALTER TABLE t ADD COLUMN a text NOT NULL", {"ADD COLUMN a text NOT NULL"}),
        ("ALTER TABLE t ADD a text NOT NULL", {"ADD a text NOT NULL"}),
        ("ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0)", {"ADD CONSTRAINT c CHECK (a > 0)"}),
        ("ALTER TABLE t ADD UNIQUE (a)", {"ADD UNIQUE (a)"}),
    ],
)
def test_what_counts_as_taken(sql: str, expected: set[str]) -> None:
    assert taken(sql) == expected
