"""`docs/architecture.md`: the import law as a map of the code, each room in the words of its own docstring."""

import ast
from collections.abc import Iterator
from configparser import ConfigParser
from pathlib import Path

from notistream.commands.reference import NOTE, table

ABOUT = """
One page to find one's way: which rooms there are, what each owns, and who may know whom. How a message goes through
them is told in [concepts](concepts.md); why it is so in [decisions](decisions/README.md); how to change it in
CONTRIBUTING.md.

```text
              HTTP                                  Kafka                            clock
                |                                     |                                |
  web/  parse, call, render           agents/  decode, into a lane        agents/maintenance  scheduler, sweeper
                |                                     |                                |
                +---------------- services/  use cases with more than one effect ------+
                                  |                   |                    |
                      db/  SQL in files    delivery/  lanes, gates,    providers/  guard, then
                      and group commits    limits, rendering           one file per vendor
                                  |                   |                    |
                                  +------ domain/  pure decisions: values in, values out
```

What processes there are: `notistream api` (HTTP, the relay; needs no Kafka to answer), `notistream worker` (agents,
tables, scheduler; one per slot), and `notistream dev`, which starts one of each. All are the one Faust app of
`notistream/app.py`.
"""
LAW = """
Each row may import rows below it, never one above; `lint-imports` refuses the rest. Beside that, `domain` and
`delivery` import no Faust, aiokafka, asyncpg or aiohttp, and `services`, `db`, `providers` no Faust.
"""


def architecture_page(root: Path) -> str:
    """The page for the checkout at `root`."""
    laws = ConfigParser()
    laws.read_string((root / ".importlinter").read_text("utf-8"))
    rows = [
        (str(place), f"`{_shown(root, room)}`", _sentence(_file(root, room)))
        for place, layer in enumerate(
            _layers(laws["importlinter:contract:layers"]["layers"]), start=1
        )
        for room in layer
        if _file(root, room).exists()
    ]
    lines = [
        NOTE,
        "",
        "# Architecture",
        ABOUT,
        "## Who may know whom",
        LAW,
        *table(("", "room", "owns"), rows),
        "",
    ]
    lines += ["## What is in the rooms", ""]
    for folder in _packages(root / "notistream"):
        lines += _room(root, folder)
    lines += ["## Around the code", "", *table(("place", "what"), AROUND)]
    return "\n".join(lines) + "\n"


AROUND = (
    (
        "`migrations/`",
        "the schema, up and down; `make generate` makes [db-schema.md](db-schema.md) of it",
    ),
    ("`clients/python/`", "the Python client, a distribution of its own: [client.md](client.md)"),
    (
        "`tests/unit/`",
        "needs nothing: decisions as tables, the web layer on fakes, the laws of this repository",
    ),
    (
        "`tests/providers/`",
        "every provider keeps the contract, against local servers that speak its vendor's protocol",
    ),
    ("`tests/integration/`", "a real Kafka and PostgreSQL, real processes"),
    ("`tests/docs/`", "runs every block of these pages"),
    ("`tests/e2e/`", "a walk through a running product: `make e2e`"),
    ("`benchmarks/`", "each figure beside its bare limit: `make bench`"),
    ("`deploy/`", "image, dashboards, alert rules, collectors, and this site's configuration"),
)


def _layers(text: str) -> Iterator[list[str]]:
    for line in filter(None, map(str.strip, text.splitlines())):
        yield [name.strip(" ()") for name in line.replace("|", ":").split(":")]


def _packages(folder: Path) -> Iterator[Path]:
    """The package and those below it."""
    return (path.parent for path in sorted(folder.rglob("__init__.py")))


def _room(root: Path, folder: Path) -> Iterator[str]:
    modules = sorted(path.stem for path in folder.glob("*.py") if path.name != "__init__.py")
    yield from (f"### {folder.relative_to(root)}/", "", _sentence(folder / "__init__.py"), "")
    if modules:
        yield from (", ".join(f"`{name}`" for name in modules), "")


def _file(root: Path, room: str) -> Path:
    path = root.joinpath("notistream", *room.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _shown(root: Path, room: str) -> str:
    file = _file(root, room)
    return (
        f"{file.parent.relative_to(root)}/"
        if file.name == "__init__.py"
        else str(file.relative_to(root))
    )


def _sentence(file: Path) -> str:
    """The first sentence of a module's docstring."""
    words = (ast.get_docstring(ast.parse(file.read_text("utf-8"))) or "").partition("\n\n")[0]
    return " ".join(words.split())
