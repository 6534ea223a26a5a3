"""What a migration takes away from the version before is told from what it adds."""

import pytest

from tests.laws.migrations import taken


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
