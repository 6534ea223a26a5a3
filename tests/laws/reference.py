"""The derived pages leave nothing out: no command, option, metric, event, error, route or module.

Whether they are fresh is checked by `notistream generate --check`.
"""

import json
import re
from collections.abc import Iterator
from configparser import ConfigParser

import click

from notistream import errors
from notistream.commands import cli
from notistream.commands.reference_pages import commands
from notistream.domain import event
from notistream.domain.notification import Status
from notistream.domain.webhook import EVENT_TYPES
from notistream.web.openapi import text as openapi
from notistream.web.routes import ROUTES
from tests.laws.series import KNOWN
from tests.laws.tree import Tree

UNDERWAY = (Status.PENDING, Status.SCHEDULED, Status.PROCESSING)
DOCUMENT = json.loads(openapi.text())


def commands_and_options_say_what_they_do(tree: Tree) -> Iterator[str]:
    page = tree.read("docs/cli.md")
    words = " ".join(page.split())
    for path, command in commands(cli):
        name = " ".join(path)
        if not (command.help or "").strip().endswith("."):
            yield f"notistream/commands:1: `{name}` has no docstring that is a sentence"
        if not isinstance(command, click.Group) and f"## {name}\n" not in page:
            yield f"docs/cli.md:1: `{name}` is missing"
        for option in command.params:
            if not isinstance(option, click.Option):
                continue
            if not option.help:
                yield f"notistream/commands:1: {option.opts[-1]} of `{name}` has no help"
            elif " ".join(option.help.split()) not in words or option.opts[-1] not in page:
                yield f"docs/cli.md:1: {option.opts[-1]} of `{name}` is missing"


def metrics_are_documented_with_their_labels(tree: Tree) -> Iterator[str]:
    page = tree.read("docs/metrics.md")
    for series in sorted(name for name in KNOWN if name.startswith("notistream_")):
        name = re.sub(r"_(bucket|sum|count)\Z", "", series)
        found = re.search(rf"^\| `{name}` \| (\w+) \| (.*?) \| (.+) \|$", page, re.M)
        if found is None:
            yield f"docs/metrics.md:1: {name} is missing"
        elif set(re.findall(r"`(\w+)`", found[2])) != KNOWN[series] - {"le"}:
            yield tree.at("docs/metrics.md", f"`{name}`", f"{name} has other labels")
        elif not found[3].endswith("."):
            yield tree.at("docs/metrics.md", f"`{name}`", f"the help of {name} is not a sentence")


def every_error_code_is_documented_once(tree: Tree) -> Iterator[str]:
    codes = re.findall(r"^\| `(\w+)`", tree.read("docs/errors.md"), re.M)
    ours = {kind.code for kind in errors.every() if kind.__module__.startswith("notistream.")}
    for code in sorted(ours - {"local_services"} - set(codes)):
        yield f"docs/errors.md:1: the error {code} is missing"
    for code in sorted(set(codes)):
        if code not in ours or codes.count(code) > 1:
            yield tree.at("docs/errors.md", f"`{code}`", f"{code} is unknown, or stands twice")


def every_event_and_each_of_its_fields_is_documented(tree: Tree) -> Iterator[str]:
    page = tree.read("docs/events.md")
    for name in (*event.TYPES, *event.NOTIFICATION_DATA, *event.DEVICE_DATA):
        if f"| `{name}` |" not in page:
            yield f"docs/events.md:1: {name} is missing"
    ends = {f"notification.{status}" for status in Status if status not in UNDERWAY}
    path = "notistream/domain/event.py"
    if set(event.TYPES) != ends | {"notification.receipt", "device_token.deactivated"}:
        yield tree.at(path, "TYPES", "TYPES is not one event for each final status, and two more")
    if not set(EVENT_TYPES) <= set(event.TYPES):
        yield tree.at(path, "TYPES", "webhooks may ask for an event that there is not")


def events_have_the_fields_that_the_database_fills_in(tree: Tree) -> Iterator[str]:
    sql = "\n".join(tree.read(path) for path in tree.files("migrations/*.up.sql"))
    fields = re.findall(r"CREATE TYPE status_event_data AS \(([^)]*)\)", sql)[-1].split(",")
    path = "notistream/domain/event.py"
    if tuple(event.NOTIFICATION_DATA) != tuple(each.split()[0] for each in fields):
        yield tree.at(path, "NOTIFICATION_DATA", "is not the type status_event_data")
    dead = tree.read("notistream/db/sql/device_tokens.sql")
    built = re.search(r"'data', jsonb_strip_nulls\(jsonb_build_object\((.*?)\)\)\)", dead, re.S)
    if not built or tuple(event.DEVICE_DATA) != tuple(re.findall(r"'(\w+)',", built[1])):
        yield tree.at(path, "DEVICE_DATA", "is not what device_tokens.sql builds")


def every_route_and_every_shape_has_its_place(tree: Tree) -> Iterator[str]:
    page = tree.read("docs/http.md")
    headings = set(re.findall(r"^### (.+)$", page, re.M))
    routes = {f"{route.method} {route.path}" for route in ROUTES if route.operation}
    for missing in sorted((routes | DOCUMENT["components"]["schemas"].keys()) - headings):
        yield f"docs/http.md:1: {missing} is missing"
    anchors = {heading.lower() for heading in headings}
    for link in sorted(set(re.findall(r"\]\(#(\w+)\)", page)) - anchors):
        yield tree.at("docs/http.md", f"(#{link})", f"#{link} leads nowhere")


def the_map_names_every_package_and_module(tree: Tree) -> Iterator[str]:
    page = tree.read("docs/architecture.md")
    inits = tree.files("notistream/*__init__.py", "agents/__init__.py", "tables/__init__.py")
    for folder in [path.removesuffix("/__init__.py") for path in inits]:
        room = re.search(rf"^### (?:notistream/)?{folder}/$(.*?)(?=^##|\Z)", page, re.M | re.S)
        named = set(re.findall(r"`(\w+)`", room[1])) if room else set()
        for path in tree.files(f"{folder}/*.py"):
            name = path.removeprefix(f"{folder}/").removesuffix(".py")
            if "/" not in name and name != "__init__" and name not in named:
                yield f"docs/architecture.md:1: {path} is missing in {folder}/"


def the_map_draws_the_import_law(tree: Tree) -> Iterator[str]:
    law = ConfigParser()
    law.read_string(tree.read(".importlinter"))
    layers = law["importlinter:contract:layers"]
    lines = [line for line in layers["layers"].split("\n") if line]
    expected = [set(re.findall(r"\w+", line)) for line in (*lines, layers["exhaustive_ignores"])]
    drawn = [set(box) for box in boxes(tree.read("docs/architecture.md"))]
    there = {path.split("/")[1].removesuffix(".py") for path in tree.files("notistream/*.py")}
    there |= {name.rpartition("/")[2] for name in ("notistream/agents", "notistream/tables")}
    for number, rooms in enumerate(expected):
        box = drawn[number] if number < len(drawn) else set()
        for room in sorted((rooms & there) ^ box):
            yield f"docs/architecture.md:1: {room} is drawn in another layer than in the import law"


def boxes(page: str) -> list[dict[str, str]]:
    """Of the picture, from top to bottom: the rooms of each box with their words."""
    picture = page.partition("```text")[2].partition("```")[0]
    found = []
    for box in re.findall(r"^\+-+\+\n(.*?)^\+-+\+$", picture, re.M | re.S):
        rooms: dict[str, str] = {}
        for name, words in re.findall(r"^\| (\w*) +(\S.*?) *\|$", box, re.M):
            room = name or list(rooms)[-1]
            rooms[room] = f"{rooms.get(room, '')} {words}".strip()
        found.append(rooms)
    return found


LAWS = (
    commands_and_options_say_what_they_do,
    metrics_are_documented_with_their_labels,
    every_error_code_is_documented_once,
    every_event_and_each_of_its_fields_is_documented,
    events_have_the_fields_that_the_database_fills_in,
    every_route_and_every_shape_has_its_place,
    the_map_names_every_package_and_module,
    the_map_draws_the_import_law,
)
