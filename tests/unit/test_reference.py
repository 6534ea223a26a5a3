"""The derived pages: every setting in its words, the comments of the migrations beside the
catalogue's columns.
"""

import pytest

from notistream.commands.reference import env_example, schema_page, settings_page, sql_comments
from notistream.db.schema import Column, Function, Schema, Table
from notistream.settings.model import PREFIX, Settings

MIGRATION = """-- Tables for tests.

-- What is kept.
-- Two lines of it.
CREATE TABLE kept (
    id       uuid PRIMARY KEY,
    "offset" bigint,                    -- where it was
    status   text CHECK (status IN ('a',
                 'b')),                 -- belongs to no column
    PRIMARY KEY (id)                    -- nor does this
);
ALTER TABLE kept
    ADD COLUMN late boolean NOT NULL;   -- added afterwards

-- Its key.
CREATE FUNCTION key_of(id uuid) RETURNS text
"""


def test_comments_are_found_where_they_stand():
    assert sql_comments(MIGRATION) == {
        ("kept", None): "What is kept. Two lines of it.",
        ("kept", "offset"): "where it was",
        ("kept", "late"): "added afterwards",
        ("key_of", None): "Its key.",
    }


def test_schema_page_joins_catalogue_and_comments():
    table = Table(
        "kept",
        None,
        (
            Column("offset", "bigint", nullable=True, default=None, comment=None),
            Column("late", "boolean", nullable=False, default="false", comment="of the catalogue"),
        ),
        (
            'CREATE UNIQUE INDEX kept_offset ON public.kept USING btree ("offset") WHERE (late)',
            "CREATE INDEX kept_late ON public.kept USING brin (late)",
        ),
        ("CHECK (a | b)",),
    )
    page = schema_page(
        Schema((table,), (Function("key_of", "id uuid", "text", None),)), [MIGRATION]
    )
    assert "| `offset` | bigint |  |  | where it was |" in page
    assert "| `late` | boolean | not null | `false` | of the catalogue |" in page
    assert '- index `kept_offset`: unique `("offset") WHERE (late)`' in page
    assert "- index `kept_late`: `brin (late)`" in page
    assert "- `key_of(id uuid) → text`: Its key." in page


@pytest.mark.parametrize("render", [env_example, settings_page])
def test_every_setting_is_there_with_its_meaning(render):
    page = " ".join(render().replace("\n# ", " ").split())
    for name, field in Settings.model_fields.items():
        assert PREFIX + name.upper() in page
        assert field.description, f"{name} has no description"
        assert " ".join(field.description.split()) in page


def test_example_shows_defaults_as_they_are_written():
    lines = env_example().splitlines()
    assert "# NOTISTREAM_PORT=8080" in lines
    assert "# NOTISTREAM_ALLOW_INSECURE=0" in lines
    assert "# NOTISTREAM_LEASE_S=30" in lines
    assert "# NOTISTREAM_PROVIDERS={}" in lines
    assert "# NOTISTREAM_DATABASE_URL=" in lines
