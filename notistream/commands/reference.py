"""Pages that are derived from the code: the settings, and the schema of the database."""

import json
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic_settings import BaseSettings

from notistream.db.schema import Schema, Table
from notistream.providers.registry import provider_class
from notistream.settings.model import PREFIX, Settings
from notistream.settings.plugins import BUILT_IN

WIDTH = 110
NOTE = "<!-- Derived by `make generate`: change the source, not this page. -->"
READ = """\
Read once at the start from the environment and from `.env` in the working directory; the
environment wins. An empty value counts as unset. Unknown `NOTISTREAM_…` names and bad values stop
the start."""
RANGES = {
    "minimum": "≥ {}",
    "exclusiveMinimum": "> {}",
    "maximum": "≤ {}",
    "minLength": "{} characters or more",
}
INDEX = re.compile(
    r"CREATE (?P<unique>UNIQUE )?INDEX (?P<name>\S+) ON \S+ USING (?P<method>\w+) (?P<rest>.+)"
)

Comments = Mapping[tuple[str, str | None], str]


def env_example() -> str:
    """`.env.example`: every setting with its meaning, commented out at its default."""
    lines = textwrap.wrap(
        "Every setting of NotiStream at its default. Copy this file to `.env` and uncomment what"
        " you change; the real environment wins over `.env`. Unknown names and bad values stop the"
        " start.",
        WIDTH - 2,
    )
    lines = [f"# {line}" for line in lines]
    for name, schema in _settings():
        allowed = _allowed(schema)
        about = f"{schema['description']} [{allowed}]" if allowed else schema["description"]
        meaning = textwrap.wrap(about, WIDTH - 2, break_on_hyphens=False)
        lines += ["", *(f"# {line}" for line in meaning), f"# {name}={_default(schema)}"]
    return "\n".join(lines) + "\n"


def settings_page() -> str:
    """`docs/settings.md`: the same as a table."""
    rows = [
        (
            f"`{name}`",
            f"`{_default(schema)}`" if _default(schema) else "",
            _allowed(schema),
            schema["description"],
        )
        for name, schema in _settings()
    ]
    return "\n".join(
        [
            NOTE,
            "",
            "# Settings",
            "",
            *READ.splitlines(),
            "",
            *table(("setting", "default", "values", "meaning"), rows),
            "",
        ]
    )


def schema_page(schema: Schema, migrations: Sequence[str]) -> str:
    """`docs/db-schema.md`: what the migrations make; `--` comments of theirs explain it."""
    comments = {key: text for sql in migrations for key, text in sql_comments(sql).items()}
    lines = [
        NOTE,
        "",
        "# Database schema",
        "",
        "Made by `migrations/`. Times are `timestamptz`, ids are UUIDv7.",
        "",
    ]
    for found in schema.tables:
        lines += [*_table_section(found, comments), ""]
    lines += ["## Functions", ""]
    for function in schema.functions:
        about = function.comment or comments.get((function.name, None), "")
        lines += [f"- `{function.name}({function.arguments}) → {function.result}`: {about}"]
    return "\n".join(lines) + "\n"


def sql_comments(sql: str) -> Comments:
    """Comments of a migration: lines above a table or function, and `-- …` beside a column."""
    found: dict[tuple[str, str | None], str] = {}
    above: list[str] = []
    table = ""
    for line in sql.splitlines():
        if match := re.match(
            r"(?:CREATE|ALTER) (?:TABLE|FUNCTION) (?:IF (?:NOT )?EXISTS )?(\w+)", line
        ):
            table = match[1]
            if above:
                found[table, None] = " ".join(above)
        elif match := re.match(r'    (?:ADD COLUMN )?"?([a-z_]+)"?\s.*?\s--\s(.+)', line):
            found[table, match[1]] = match[2].strip()
        above = [*above, line.removeprefix("--").strip()] if line.startswith("--") else []
    return found


def _settings() -> Iterator[tuple[str, dict[str, Any]]]:
    """Settings of the product, then by provider those that only its providers have."""
    yield from (of_product := dict(_of_model(Settings, PREFIX))).items()
    for name in BUILT_IN:
        model: type[BaseSettings] = provider_class(name).settings_model
        for setting, schema in _of_model(model, f"{PREFIX}{name.upper()}_"):
            if setting not in of_product:
                yield setting, schema


def _of_model(model: type[BaseSettings], prefix: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, schema in model.model_json_schema().get("properties", {}).items():
        options = [option for option in schema.pop("anyOf", ()) if option.get("type") != "null"]
        yield prefix + name.upper(), {**schema, **(options[0] if options else {})}


def _default(schema: Mapping[str, Any]) -> str:
    match schema.get("default"):
        case None:
            return "{}" if schema.get("type") == "object" else ""
        case bool(value):
            return str(int(value))
        case float(value):
            return f"{value:g}"
        case dict() | list() as value:
            return json.dumps(value)
        case value:
            return str(value)


def _allowed(schema: Mapping[str, Any]) -> str:
    if values := schema.get("enum"):
        return ", ".join(values)
    if schema.get("type") == "boolean":
        return "0, 1"
    if "minimum" in schema and "maximum" in schema:
        return "{minimum} to {maximum}".format_map(schema)
    return ", ".join(text.format(schema[key]) for key, text in RANGES.items() if key in schema)


def _table_section(found: Table, comments: Comments) -> Iterator[str]:
    yield f"## {found.name}"
    yield ""
    if about := found.comment or comments.get((found.name, None)):
        yield from (about, "")
    rows = [
        (
            f"`{c.name}`",
            c.type,
            "" if c.nullable else "not null",
            f"`{c.default}`" if c.default else "",
            c.comment or comments.get((found.name, c.name), ""),
        )
        for c in found.columns
    ]
    yield from table(("column", "type", "", "default", "meaning"), rows)
    yield ""
    yield from (f"- index {_index(statement)}" for statement in found.indexes)
    yield from (f"- `{check}`" for check in found.checks)


def _index(statement: str) -> str:
    match = INDEX.fullmatch(statement)
    if match is None:
        return f"`{statement}`"
    method = "" if match["method"] == "btree" else f"{match['method']} "
    return f"`{match['name']}`: {(match['unique'] or '').lower()}`{method}{match['rest']}`"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """The lines of a table in Markdown."""
    for row in (head, ["---"] * len(head), *rows):
        yield " | ".join(("", *(cell.replace("|", r"\|") for cell in row), "")).strip()
