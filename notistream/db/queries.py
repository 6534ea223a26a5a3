"""Statements of the `.sql` files beside this module: named parameters, records and fragments.

A file holds blocks. `-- name: claim` begins a statement, `-- fragment: is_waiting` a piece of SQL
that statements include as `{{is_waiting}}`. Statements find the fragments of their own file and of
`shared.sql`. The text is put together once, when the file is loaded:

- `@owner` is a parameter. A call gives it by name.
- `@turns::records AS m(id uuid, seq integer)` is a table of records. A call gives a sequence of
  mappings or objects, of which each column is the key or attribute of that name.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cache
from importlib.resources import files
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

SHARED = "shared"
BLOCK = re.compile(r"^-- (name|fragment): (\w+)$", re.MULTILINE)
TOKEN = re.compile(
    r"""
    (?P<comment>--[^\n]*|/\*.*?\*/)
    |(?P<verbatim>\b[eE]'(?:\\.|''|[^'\\])*'|'(?:''|[^'])*'|"(?:""|[^"])*")
    |(?P<dollar>\$(?P<tag>[A-Za-z_]?\w*)\$.*?\$(?P=tag)\$)
    |@(?P<records>[a-z_]\w*)::records\s+AS\s+(?P<alias>\w+)\s*\((?P<columns>[^()]+)\)
    |(?P<fault>\$\d+|@\w+::records|[-+*/<>=~!\#%^&|`?@]+@[A-Za-z_]\w*|@[A-Z]\w*)
    |(?P<operator>[-+*/<>=~!\#%^&|`?@]{2,})
    |@(?P<parameter>[a-z_]\w*)
    |\{\{(?P<fragment>\w+)\}\}
    """,
    re.VERBOSE | re.DOTALL,
)
COLUMN = re.compile(r'"?(?P<name>\w+)"?\s+(?P<type>\w[\w ]*)')


class BadStatement(Exception):
    """An `.sql` file cannot be loaded; the message names the file, the statement and the place."""


@dataclass(frozen=True, slots=True)
class Query:
    """A statement with numbered parameters, and the names by which a call gives them.

    `columns` has an entry for each name: None for a plain value, or the columns of its records.
    """

    name: str
    text: str
    columns: Mapping[str, Sequence[str] | None] = field(default_factory=dict)

    def __call__(self, **given: Any) -> tuple[Any, ...]:
        """The text and the values in its order, as `fetch` takes them: `db.fetch(*query(id=id))`.

        Raises:
            TypeError: a parameter is missing or unknown, or a record lacks a column.
        """
        if given.keys() != self.columns.keys():
            raise TypeError(self._mismatch(given))
        values: list[Any] = [self.text]
        for name, columns in self.columns.items():
            if columns is None:
                values.append(given[name])
            else:
                values.extend(self._arrays(name, columns, given[name]))
        return tuple(values)

    def _mismatch(self, given: Mapping[str, Any]) -> str:
        missing = [f"{name} is missing" for name in self.columns if name not in given]
        unknown = [f"{name} is unknown" for name in given if name not in self.columns]
        return f"{self.name}: {', '.join(missing + unknown)}"

    def _arrays(self, name: str, columns: Sequence[str], records: Sequence[Any]) -> list[list[Any]]:
        """One array for each column, in the order of the columns."""
        keyed = isinstance(next(iter(records), None), Mapping)
        reader: Callable[[str], Callable[[Any], Any]] = itemgetter if keyed else attrgetter
        if keyed and any(len(record) != len(columns) for record in records):
            raise TypeError(self._uneven(name, columns, records))
        try:
            return [list(map(reader(column), records)) for column in columns]
        except (AttributeError, KeyError) as exc:
            raise TypeError(f"{self.name}: {name} lacks a column: {exc}") from exc

    def _uneven(self, name: str, columns: Sequence[str], records: Sequence[Any]) -> str:
        wrong = next(
            set(record) ^ set(columns) for record in records if set(record) != set(columns)
        )
        return f"{self.name}: {name} has missing or unknown columns: {', '.join(sorted(wrong))}"


@cache
def load(stem: str) -> Mapping[str, Query]:
    """The statements of `sql/<stem>.sql` by name.

    Raises:
        BadStatement: see there.
    """
    return parse(stem, read(stem), read(SHARED))


def read(stem: str) -> str:
    """The text of `sql/<stem>.sql`."""
    return files("notistream.db").joinpath("sql", f"{stem}.sql").read_text(encoding="utf-8")


def parse(stem: str, text: str, shared: str = "") -> Mapping[str, Query]:
    """The statements in the text of a file by name; `shared` holds fragments of all files.

    Raises:
        BadStatement: see there.
    """
    fragments = {name: body for kind, name, body in blocks(shared) if kind == "fragment"}
    fragments |= {name: body for kind, name, body in blocks(text) if kind == "fragment"}
    return {
        name: _Translation(f"{stem}.{name}", fragments).query(body)
        for kind, name, body in blocks(text)
        if kind == "name"
    }


def blocks(text: str) -> list[tuple[str, str, str]]:
    """Kind (`name` or `fragment`), name and body of each block of a file."""
    parts = BLOCK.split(text)[1:]
    return [
        (kind, name, body.strip().rstrip(";"))
        for kind, name, body in zip(parts[::3], parts[1::3], parts[2::3], strict=True)
    ]


class _Translation:
    """Translates one statement: includes fragments, drops comments and numbers parameters."""

    def __init__(self, name: str, fragments: Mapping[str, str]) -> None:
        self._name = name
        self._fragments = fragments
        self._numbers: dict[str, int] = {}
        self._columns: dict[str, Sequence[str] | None] = {}
        self._including: list[str] = []

    def query(self, body: str) -> Query:
        return Query(self._name, self._translate(body).strip(), self._columns)

    def _translate(self, body: str) -> str:
        return TOKEN.sub(self._token, body)

    def _token(self, found: re.Match[str]) -> str:
        if found["comment"]:
            return ""
        if found["fault"]:
            raise BadStatement(
                f"{self._name}: {found['fault']!r} is neither parameter nor operator"
            )
        if found["fragment"]:
            return self._include(found["fragment"])
        if found["records"]:
            return self._records(found["records"], found["alias"], found["columns"])
        if found["parameter"]:
            return f"${self._number(found['parameter'])}"
        return found[0]

    def _include(self, name: str) -> str:
        if name in self._including or name not in self._fragments:
            why = "includes itself" if name in self._including else "is not defined"
            raise BadStatement(f"{self._name}: the fragment {name} {why}")
        self._including.append(name)
        text = self._translate(self._fragments[name]).strip()
        self._including.pop()
        return text

    def _number(self, name: str) -> int:
        if self._columns.get(name) is not None:
            raise BadStatement(f"{self._name}: {name} is both a value and records")
        if name not in self._numbers:
            self._numbers[name] = self._next()
            self._columns[name] = None
        return self._numbers[name]

    def _next(self) -> int:
        return 1 + sum(1 if taken is None else len(taken) for taken in self._columns.values())

    def _records(self, name: str, alias: str, listed: str) -> str:
        if name in self._columns:
            raise BadStatement(f"{self._name}: {name} stands twice")
        columns = [COLUMN.fullmatch(column.strip()) for column in listed.split(",")]
        if not all(columns):
            raise BadStatement(f"{self._name}: {name}: a column is written `name type`")
        first = self._next()
        arrays = [f"${n}::{column['type']}[]" for n, column in enumerate(columns, first) if column]
        names = [column[0].split()[0] for column in columns if column]
        self._columns[name] = [column["name"] for column in columns if column]
        return f"unnest({', '.join(arrays)}) AS {alias}({', '.join(names)})"


def named(value: "DataclassInstance") -> dict[str, Any]:
    """The fields of a value object, as a call takes them: `query(**named(filter))`."""
    return {f.name: getattr(value, f.name) for f in fields(value)}
