"""Derived pages are complete: commands, options, metrics, events, errors, routes, shapes, rooms."""

import ast
import json
import re
from configparser import ConfigParser
from pathlib import Path

import click
import pytest

from notistream import errors
from notistream.commands import cli
from notistream.commands.architecture import architecture_page
from notistream.commands.reference_http import http_page
from notistream.commands.reference_pages import (
    cli_page,
    commands,
    errors_page,
    events_page,
    metrics_page,
)
from notistream.domain import event
from notistream.domain.notification import Status
from notistream.domain.webhook import EVENT_TYPES
from notistream.web.openapi import text as openapi
from notistream.web.routes import ROUTES
from tests.unit.test_observability_files import KNOWN

ROOT = Path(__file__).parents[2]
DOCUMENT = json.loads(openapi.text())
PAGES = {
    "docs/cli.md": cli_page(cli),
    "docs/metrics.md": metrics_page(),
    "docs/events.md": events_page(),
    "docs/errors.md": errors_page(),
    "docs/http.md": http_page(DOCUMENT),
    "docs/architecture.md": architecture_page(ROOT),
}


@pytest.mark.parametrize("path", PAGES)
def test_page_is_fresh(path: str) -> None:
    assert (ROOT / path).read_text("utf-8") == PAGES[path], "run `make generate`"


@pytest.mark.parametrize(
    ("path", "command"),
    [pytest.param(path, command, id=" ".join(path)) for path, command in commands(cli)],
)
def test_command_and_each_of_its_options_say_what_they_do(
    path: tuple[str, ...], command: click.Command
) -> None:
    assert (command.help or "").strip().endswith("."), "no docstring"
    page = PAGES["docs/cli.md"]
    for option in command.params:
        if isinstance(option, click.Option):
            assert option.help, f"{option.opts[-1]} has no help"
            assert " ".join(option.help.split()) in " ".join(page.split())
            assert option.opts[-1] in page
    if not isinstance(command, click.Group):
        assert f"## {' '.join(path)}\n" in page


@pytest.mark.parametrize("series", sorted(name for name in KNOWN if name.startswith("notistream_")))
def test_metric_is_documented_with_its_labels(series: str) -> None:
    name = re.sub(r"_(bucket|sum|count)\Z", "", series)
    found = re.search(
        rf"^\| `{name}` \| (\w+) \| (.*?) \| (.+) \|$", PAGES["docs/metrics.md"], re.M
    )
    assert found, f"{name} is not in docs/metrics.md"
    assert set(re.findall(r"`(\w+)`", found[2])) == KNOWN[series] - {"le"}
    assert found[3].endswith("."), "its help is not a sentence"


def test_every_error_code_is_documented_once() -> None:
    codes = re.findall(r"^\| `(\w+)`", PAGES["docs/errors.md"], re.M)
    assert len(codes) == len(set(codes))
    told = {kind.code for kind in errors.every() if kind.__module__.startswith("notistream.")}
    assert told - {"local_services"} == set(codes)


def test_every_event_and_each_of_its_fields_is_documented() -> None:
    ends = {f"notification.{status}" for status in Status} - {
        f"notification.{status}" for status in (Status.PENDING, Status.SCHEDULED, Status.PROCESSING)
    }
    assert set(event.TYPES) == ends | {"notification.receipt", "device_token.deactivated"}
    assert set(EVENT_TYPES) <= set(event.TYPES)
    sql = "\n".join(
        path.read_text("utf-8") for path in sorted((ROOT / "migrations").glob("*.up.sql"))
    )
    [fields] = re.findall(r"CREATE TYPE status_event_data AS \(([^)]*)\)", sql)
    assert tuple(event.NOTIFICATION_DATA) == tuple(field.split()[0] for field in fields.split(","))
    dead = (ROOT / "notistream" / "db" / "sql" / "device_tokens.sql").read_text("utf-8")
    built = re.search(r"'data', jsonb_strip_nulls\(jsonb_build_object\((.*?)\)\)\)", dead, re.S)
    assert built
    assert tuple(event.DEVICE_DATA) == tuple(re.findall(r"'(\w+)',", built[1]))
    for name in (*event.TYPES, *event.NOTIFICATION_DATA, *event.DEVICE_DATA):
        assert f"| `{name}` |" in PAGES["docs/events.md"]


def test_every_route_and_every_shape_has_its_place() -> None:
    page = PAGES["docs/http.md"]
    headings = set(re.findall(r"^### (.+)$", page, re.M))
    assert {f"{route.method} {route.path}" for route in ROUTES if route.operation} <= headings
    anchors = {heading.lower() for heading in headings}
    assert set(re.findall(r"\]\(#(\w+)\)", page)) <= anchors
    assert len(re.findall(r"^### \w+$", page, re.M)) == len(DOCUMENT["components"]["schemas"])


def test_the_map_names_every_package_and_module() -> None:
    page = PAGES["docs/architecture.md"]
    for package in ("notistream", "agents", "tables"):
        for init in (ROOT / package).rglob("__init__.py"):
            folder = init.parent
            [room] = re.findall(rf"^### {folder.relative_to(ROOT)}/$(.*?)^##", page, re.M | re.S)
            named = set(re.findall(r"`(\w+)`", room))
            assert {path.stem for path in folder.glob("*.py")} - {"__init__"} <= named, folder


def test_the_map_draws_every_room_in_its_layer() -> None:
    law = ConfigParser()
    law.read_string((ROOT / ".importlinter").read_text("utf-8"))
    layers = law["importlinter:contract:layers"]
    expected = [set(re.findall(r"\w+", line)) for line in layers["layers"].split("\n") if line]
    expected.append(set(layers["exhaustive_ignores"].split()))
    assert [set(box) for box in boxes()] == [rooms & there() for rooms in expected]


def test_the_map_says_what_each_room_owns() -> None:
    for room, words in (item for box in boxes() for item in box.items()):
        path = ROOT / "notistream" / room
        file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        about = (ast.get_docstring(ast.parse(file.read_text("utf-8"))) or "").partition("\n\n")[0]
        assert words == " ".join(about.split())


def boxes() -> list[dict[str, str]]:
    """Of the picture, from top to bottom: the rooms of each box with their words."""
    picture = PAGES["docs/architecture.md"].partition("```text")[2].partition("```")[0]
    found = []
    for box in re.findall(r"^\+-+\+\n(.*?)^\+-+\+$", picture, re.M | re.S):
        rooms: dict[str, str] = {}
        for name, words in re.findall(r"^\| (\w*) +(\S.*?) *\|$", box, re.M):
            room = name or list(rooms)[-1]
            rooms[room] = f"{rooms.get(room, '')} {words}".strip()
        found.append(rooms)
    return found


def there() -> set[str]:
    """Every package and module directly under notistream/."""
    paths = (ROOT / "notistream").iterdir()
    return {
        path.stem for path in paths if path.suffix == ".py" or (path / "__init__.py").is_file()
    } - {"__init__"}
