"""Migrations only add: the version before goes on running on the new schema, so that it can be
rolled back.

What an older table loses, an older process misses: a column or function that it names, a unique key
that its ON CONFLICT relies on, a row that it may insert.
"""

import re
from collections.abc import Iterator

from tests.laws.tree import Tree

EXCEPTIONS = {
    5: {"DROP CONSTRAINT templates_tenant_id_channel_name_key"},
    6: {
        "DROP FUNCTION addresses_of",
        "DROP COLUMN push_tokens",
        "DROP CONSTRAINT suppressions_pkey",
    },
}
"""By number of the migration, from before the first release.

None may be added once a version is released: expand now, contract a release later.
"""

QUOTED = re.compile(r"\$(\w*)\$.*?\$\1\$|'(?:[^']|'')*'|BEGIN ATOMIC.*?\bEND;|--[^\n]*", re.DOTALL)
CREATED = re.compile(r"CREATE TABLE (\w+)")
ALTERED = re.compile(r"ALTER TABLE (?:ONLY )?(\w+)\s+(.*)", re.DOTALL)
DROPPED = re.compile(r"DROP (?:TABLE|FUNCTION|TYPE|VIEW) (?:IF EXISTS )?\w+")
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


def taken(sql: str) -> set[str]:
    """What the statements take from tables and functions that were there, in their own words."""
    sql = QUOTED.sub(" ", sql)
    own = set(CREATED.findall(sql))
    found: set[str] = set()
    for statement in sql.split(";"):
        words = " ".join(statement.split())
        if altered := ALTERED.match(words):
            table, actions = altered.groups()
            found |= set() if table in own else _taken_by(actions)
        elif dropped := DROPPED.match(words):
            found.add(dropped[0])
    return found


def _taken_by(actions: str) -> set[str]:
    """By the actions of one ALTER TABLE."""
    each = [action.strip() for action in COMMA.split(actions)]
    return {match[0] for one in each for take in TAKES if (match := re.match(take, one))}


def migrations_take_nothing_away(tree: Tree) -> Iterator[str]:
    for path in tree.files("migrations/*.up.sql"):
        number = int(re.findall(r"\d+", path)[0])
        found, allowed = taken(tree.read(path)), EXCEPTIONS.get(number, set())
        for words in sorted(found - allowed):
            yield tree.at(path, words, f"takes away what the version before needs: {words}")
        for words in sorted(allowed - found):
            yield f"{path}:1: does no longer what EXCEPTIONS allows: {words}"


LAWS = (migrations_take_nothing_away,)
