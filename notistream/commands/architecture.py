"""`docs/architecture.md`: the import law as a picture, each room in the words of its docstring."""

import ast
import textwrap
from collections.abc import Iterator, Sequence
from configparser import ConfigParser, SectionProxy
from dataclasses import dataclass
from pathlib import Path

from notistream.commands.reference import NOTE, table

CONTRACT = "importlinter:contract:"
PACKAGES = ("notistream", "agents", "tables")
"""Folders at the root; `notistream/agents` and `notistream/tables` are links to the last two."""
WIDTH = 96
ROOM_WIDTH = 15
ABOUT = """
This page shows the rooms of the code, what each of them owns, and which may import which.
[Concepts](concepts.md) tells how a message passes through them, [decisions](decisions/README.md)
why they are built as they are, and CONTRIBUTING.md how to change them.

Three commands start processes, all from the one Faust app in `notistream/app.py`. `notistream api`
serves HTTP and publishes what it accepts; it answers while Kafka is away. `notistream worker` runs
the agents, the tables and the scheduler of one slot. `notistream dev` starts one of each.
"""
LAW = """
A room imports only rooms in boxes below its own. Rooms in one box that a dashed line separates do
not import each other. `lint-imports` refuses everything else.
"""
AROUND = (
    ("`clients/python/`", "the Python client, a distribution of its own: [client.md](client.md)"),
    ("`migrations/`", "the schema, up and down; [db-schema.md](db-schema.md) is derived from it"),
    ("`tests/unit/`", "decisions as tables, the web layer on fakes; needs no service"),
    ("`tests/providers/`", "the contract of providers, against local servers of each vendor"),
    ("`tests/integration/`", "real processes on a real Kafka and PostgreSQL"),
    ("`tests/docs/`", "runs every block of these pages"),
    ("`tests/e2e/`", "walks through a running product: `make e2e`"),
    ("`benchmarks/`", "measures each figure beside its bare limit: `make bench`"),
    ("`deploy/`", "image, dashboards, alert rules, collectors, and this site's configuration"),
)


@dataclass(frozen=True, slots=True)
class Layer:
    """One box of the picture.

    `independent`: its rooms do not import each other.
    """

    rooms: Sequence[str]
    independent: bool


def architecture_page(root: Path) -> str:
    """The page for the checkout at `root`."""
    laws = ConfigParser()
    laws.read_string((root / ".importlinter").read_text("utf-8"))
    lines = [
        NOTE,
        "",
        "# Architecture",
        ABOUT,
        "## Who imports whom",
        LAW,
        "```text",
        *_picture(root, laws[f"{CONTRACT}layers"]),
        "```",
        "",
        *_prohibitions(laws),
        "",
        "## What is in the rooms",
        "",
    ]
    for folder in PACKAGES:
        for package in _packages(root / folder):
            lines += _contents(root, package)
    lines += ["## Around the code", "", *table(("place", "what"), AROUND)]
    return "\n".join(lines) + "\n"


def _picture(root: Path, law: SectionProxy) -> Iterator[str]:
    """The layers as boxes from top to bottom; last, the rooms that stand outside the layers."""
    layers = [layer for layer in _layers(law["layers"], root) if layer.rooms]
    for number, layer in enumerate(layers):
        if number:
            yield f"{'v':>{WIDTH // 2}}"
        yield from _box(root, layer)
    if apart := [room for room in law["exhaustive_ignores"].split() if _file(root, room).exists()]:
        yield from ("", "Outside the layers:")
        yield from _box(root, Layer(apart, independent=True))


def _box(root: Path, layer: Layer) -> Iterator[str]:
    edge = f"+{'-' * (WIDTH - 2)}+"
    yield edge
    for number, room in enumerate(layer.rooms):
        if number and layer.independent:
            yield f"|{' -' * (WIDTH // 2 - 1)}|"
        sentences = textwrap.wrap(_sentence(_file(root, room)), WIDTH - ROOM_WIDTH - 4)
        for row, words in enumerate(sentences):
            name = "" if row else room
            yield f"| {name:{ROOM_WIDTH}}{words:{WIDTH - ROOM_WIDTH - 4}} |"
    yield edge


def _layers(text: str, root: Path) -> Iterator[Layer]:
    """Layers of import-linter: `|` separates independent rooms, `:` others; `()` marks optional."""
    for line in filter(None, map(str.strip, text.splitlines())):
        rooms = [name.strip(" ()") for name in line.replace("|", ":").split(":")]
        yield Layer([room for room in rooms if _file(root, room).exists()], "|" in line)


def _prohibitions(laws: ConfigParser) -> Iterator[str]:
    """The other contracts: what some rooms do not import."""
    for name in laws.sections():
        law = laws[name]
        if name.startswith(CONTRACT) and law["type"] == "forbidden":
            rooms, modules = (_named(law[key]) for key in ("source_modules", "forbidden_modules"))
            yield f"- {law['name']}: {rooms} do not import {modules}."


def _named(modules: str) -> str:
    return ", ".join(f"`{module.removeprefix('notistream.')}`" for module in modules.split())


def _packages(folder: Path) -> Iterator[Path]:
    """The package and those below it."""
    return (path.parent for path in sorted(folder.rglob("__init__.py")))


def _contents(root: Path, folder: Path) -> Iterator[str]:
    modules = sorted(path.stem for path in folder.glob("*.py") if path.name != "__init__.py")
    yield from (f"### {folder.relative_to(root)}/", "", _sentence(folder / "__init__.py"), "")
    if modules:
        yield from (", ".join(f"`{name}`" for name in modules), "")


def _file(root: Path, room: str) -> Path:
    path = root.joinpath("notistream", *room.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _sentence(file: Path) -> str:
    """The first paragraph of a module's docstring."""
    words = (ast.get_docstring(ast.parse(file.read_text("utf-8"))) or "").partition("\n\n")[0]
    return " ".join(words.split())
