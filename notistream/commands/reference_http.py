"""`docs/http.md`: the OpenAPI document as a page to read.

Operations by tag, then the shapes that they speak of.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from notistream.commands.reference import NOTE, table

Shape = Mapping[str, Any]
WHO = {
    "apiKey": "`X-API-Key`",
    "recipientToken": "a recipient's token",
    "adminToken": "`X-Admin-Token`",
}


def http_page(document: Shape) -> str:
    """Derived as docs/api.yaml is, and from the same values."""
    lines = [
        NOTE,
        "",
        "# HTTP API",
        "",
        f"{document['info']['description']} For tools: [api.yaml](api.yaml) (OpenAPI",
        (
            f"{document['openapi']}), which a running API serves at `/openapi.json`, with a page to"
            " try it at `/docs`."
        ),
        "",
    ]
    for tag in document["tags"]:
        found = [
            (path, method, operation)
            for path, item in document["paths"].items()
            for method, operation in item.items()
            if operation["tags"] == [tag["name"]]
        ]
        lines += [f"## {tag['name']}", "", tag["description"], ""]
        lines += [
            line
            for path, method, operation in found
            for line in _operation(document, path, method, operation)
        ]
    lines += [
        "## Shapes",
        "",
        "What bodies and answers consist of. A field with * must be there.",
        "",
    ]
    for name, schema in document["components"]["schemas"].items():
        lines += [f"### {_short(name)}", "", *_shape(schema), ""]
    return "\n".join(lines)


def _operation(document: Shape, path: str, method: str, operation: Shape) -> Iterator[str]:
    security = operation.get("security", document["security"])
    who = " or ".join(WHO[name] for scheme in security for name in scheme) or "nobody: it is open"
    about = f"**{operation['summary']}.** {operation.get('description', '')}".strip()
    yield from (f"### {method.upper()} {path}", "", about, "", f"Asks for: {who}.", "")
    parameters = [_resolved(document, parameter) for parameter in operation["parameters"]]
    if rows := [_parameter(p) for p in parameters if p["name"] != "X-Correlation-ID"]:
        yield from (*table(("parameter", "in", "type", "meaning"), rows), "")
    for content in operation.get("requestBody", {}).get("content", {}).values():
        yield from (f"Body: {_type(content['schema'])}", "")
        for example in list(content["examples"].values())[:1]:
            yield from (
                "```json",
                json.dumps(example["value"], indent=2, ensure_ascii=False),
                "```",
                "",
            )
    yield from _answers(operation["responses"])
    yield ""


def _parameter(parameter: Shape) -> Sequence[str]:
    return (
        f"`{parameter['name']}`",
        parameter["in"],
        _type(parameter["schema"]),
        parameter.get("description", ""),
    )


def _answers(responses: Shape) -> Iterator[str]:
    problems = [status for status, answer in responses.items() if "$ref" in answer]
    own = [_answer(status, answer) for status, answer in responses.items() if "$ref" not in answer]
    yield from table(("status", "answer", "shape"), own)
    if problems:
        yield from ("", f"Problems: {', '.join(problems)} ([error codes](errors.md)).")


def _answer(status: str, answer: Shape) -> Sequence[str]:
    shapes = {
        _type(content["schema"])
        for kind, content in answer.get("content", {}).items()
        if not kind.startswith("text/")
    }
    return status, answer["description"], ", ".join(sorted(shapes))


def _shape(schema: Shape) -> Iterator[str]:
    if about := schema.get("description"):
        yield from (" ".join(about.split()), "")
    needed = schema.get("required", ())
    rows = [
        (f"`{name}`{'*' if name in needed else ''}", _type(field), field.get("description", ""))
        for name, field in schema.get("properties", {}).items()
    ]
    yield from table(("field", "type", "meaning"), rows) if rows else (_type(schema),)


def _type(schema: Shape) -> str:
    """A schema in a few words; those with a name are links."""
    match schema:
        case {"$ref": str(ref)}:
            name = _short(ref.rpartition("/")[2])
            return f"[{name}](#{name.lower()})"
        case {"anyOf": [*options]} | {"oneOf": [*options]}:
            return " or ".join(dict.fromkeys(_type(option) for option in options))
        case {"enum": [*values]}:
            return ", ".join(f"`{value}`" for value in values)
        case {"type": "array", "items": items}:
            return f"list of {_type(items)}"
        case {"type": "object", "additionalProperties": Mapping() as values}:
            return f"object of {_type(values)}"
        case _:
            return f"{schema.get('format') or schema.get('type', 'any')}{_bounds(schema)}"


def _bounds(schema: Shape) -> str:
    least = schema.get("minimum", schema.get("minLength"))
    most = schema.get("maximum", schema.get("maxLength"))
    bounds = [f"from {least}"] * (least is not None) + [f"to {most}"] * (most is not None)
    return f" ({' '.join(bounds)})" if bounds else ""


def _resolved(document: Shape, shown: Shape) -> Shape:
    if ref := shown.get("$ref"):
        _, _, kind, name = ref.split("/")
        found: Shape = document["components"][kind][name]
        return found
    return shown


def _short(name: str) -> str:
    """Pydantic spells out the module where two shapes have one name."""
    *modules, shape = name.split("__")
    return (
        "".join(part.capitalize() for part in modules[-1].split("_")[:-1]) + shape
        if modules
        else shape
    )
