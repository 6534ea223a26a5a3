"""The OpenAPI document: valid, served as it says, with names that stay and examples that are so."""

import json
import re
from collections.abc import Iterator
from typing import Any

from jsonschema import ValidationError
from openapi_spec_validator import OpenAPIV31SpecValidator

from notistream.web.openapi import text as openapi
from notistream.web.routes import ROUTES
from tests.documented import resolved, validate
from tests.laws.tree import Tree

PAGE = "docs/api.yaml"
KNOWN_IDS = "tests/laws/operation_ids.txt"
WITHOUT_EXAMPLE = {"openapi"}
"""An example of the document would be the document."""
PAGES = ("/docs", "/swagger", "/unsubscribe", "/console")


def read(tree: Tree) -> dict[str, Any]:
    """The document as it is committed, or as a test has planted it."""
    planted = tree.planted.get("build/api.json")
    return dict(json.loads(planted or openapi.text()))


def operations(tree: Tree) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Path, method and description of each."""
    for path, item in read(tree)["paths"].items():
        for method, shown in item.items():
            yield path, method, shown


def at(tree: Tree, shown: dict[str, Any], wrong: str) -> str:
    name = shown.get("operationId", "an operation")
    return tree.at(PAGE, f"operationId: {name}", f"{name} {wrong}")


def the_document_is_valid(tree: Tree) -> Iterator[str]:
    document = read(tree)
    if not document["openapi"].startswith("3.1"):
        yield f"{PAGE}:1: is not OpenAPI 3.1"
    for error in OpenAPIV31SpecValidator(document).iter_errors():
        yield f"{PAGE}:1: {'/'.join(map(str, error.path))}: {error.message[:200]}"


def no_route_is_served_twice(tree: Tree) -> Iterator[str]:
    names = [f"{route.method} {route.path}" for route in ROUTES]
    names += [shown["operationId"] for _, _, shown in operations(tree)]
    for name in sorted({each for each in names if names.count(each) > 1}):
        yield f"notistream/web/routes.py:1: {name} is there twice"


def routes_and_document_name_the_same(tree: Tree) -> Iterator[str]:
    described = {(route.method, route.path) for route in ROUTES if route.operation}
    for route in ROUTES:
        if route.operation is None and route.path != "/" and not route.path.startswith(PAGES):
            yield f"notistream/web/routes.py:1: {route.path} is in no document, and is no page"
    shown = {(method.upper(), path) for path, method, _ in operations(tree)}
    for method, path in sorted(described ^ shown):
        yield f"{PAGE}:1: {method} {path} is only served, or only described"


def operation_ids_are_names_and_stay(tree: Tree) -> Iterator[str]:
    """Generated clients call their methods so.

    New ones are added to the file; none is renamed or removed.
    """
    found = {shown["operationId"]: shown for _, _, shown in operations(tree)}
    for name in sorted(set(tree.read(KNOWN_IDS).split()) - found.keys()):
        yield tree.at(KNOWN_IDS, name, f"the operation {name} is gone or renamed")
    for name, shown in found.items():
        if not re.fullmatch(r"[a-z][A-Za-z_]*", name):
            yield at(tree, shown, "is not a name for a method")


def schemas_have_names_that_people_would_give(tree: Tree) -> Iterator[str]:
    """Two types of one name get the names of their modules before theirs."""
    for name in read(tree)["components"]["schemas"]:
        if not re.fullmatch(r"[A-Z][A-Za-z]*", name):
            yield tree.at(PAGE, f" {name}:", f"nobody would call a schema {name}")


def operations_say_who_may_call_and_what_can_go_wrong(tree: Tree) -> Iterator[str]:
    for path, method, shown in operations(tree):
        public = not path.startswith(("/api/", "/internal/", "/ws"))
        problems = {status for status in shown["responses"] if status.startswith(("4", "5"))}
        if not shown.get("summary"):
            yield at(tree, shown, "has no summary")
        if shown.get("security") != security(path, public=public):
            yield at(tree, shown, f"says {shown.get('security')} of who may call it")
        if not public and not problems >= {"401", "422", "503"}:
            yield at(tree, shown, f"only knows the problems {sorted(problems)}")
        may_have_a_body = method in ("delete", "patch")
        if not may_have_a_body and (method in ("post", "put")) != ("requestBody" in shown):
            yield at(tree, shown, "has a body where its method has none, or none")


def security(path: str, *, public: bool) -> list[dict[str, list[str]]] | None:
    """What the document says for a path; None stands for the default, an API key."""
    if public:
        return []
    if path.startswith("/internal/"):
        return [{"adminToken": []}]
    if path == "/ws" or path.startswith("/api/v1/inbox"):
        return [{"apiKey": []}, {"recipientToken": []}]
    return None


def every_body_has_examples_of_its_schema(tree: Tree) -> Iterator[str]:
    for _, _, shown in operations(tree):
        answers = [resolved(answer) for answer in shown["responses"].values()]
        for body in (shown.get("requestBody", {}), *answers):
            for kind, content in body.get("content", {}).items():
                examples = [one["value"] for one in content.get("examples", {}).values()]
                examples += [content["example"]] if "example" in content else []
                wanted = kind.endswith("json") and shown["operationId"] not in WITHOUT_EXAMPLE
                if wanted and not examples:
                    yield at(tree, shown, f"has no example of {kind}")
                for example in examples:
                    try:
                        validate(example, content["schema"])
                    except ValidationError as exc:
                        yield at(tree, shown, f"has an example that breaks it: {exc.message[:200]}")


def yaml_says_the_same(tree: Tree) -> Iterator[str]:
    if json.loads(openapi.text()) != tree.yaml(PAGE):
        yield f"{PAGE}:1: is not the document that is served: run `make generate`"


LAWS = (
    the_document_is_valid,
    no_route_is_served_twice,
    routes_and_document_name_the_same,
    operation_ids_are_names_and_stay,
    schemas_have_names_that_people_would_give,
    operations_say_who_may_call_and_what_can_go_wrong,
    every_body_has_examples_of_its_schema,
    yaml_says_the_same,
)
