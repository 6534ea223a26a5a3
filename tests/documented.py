"""What the OpenAPI document says of a request, and whether the answer agrees."""

import json
import re
from typing import Any

import httpx
from jsonschema import Draft202012Validator

from notistream.web.openapi.text import text

DOCUMENT: dict[str, Any] = json.loads(text())
OPERATIONS: dict[str, tuple[str, str, dict[str, Any]]] = {
    shown["operationId"]: (path, method, shown)
    for path, item in DOCUMENT["paths"].items()
    for method, shown in item.items()
}
"""Path, method and description by operationId."""


def resolved(shown: dict[str, Any]) -> Any:
    """What a reference leads to; anything else as it is."""
    if "$ref" not in shown:
        return shown
    found: Any = DOCUMENT
    for part in shown["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    return found


def operation_of(request: httpx.Request) -> tuple[str, dict[str, Any]]:
    """OperationId and description, by method and path.

    A path without parameters goes before one with.
    """
    path = request.url.raw_path.decode().partition("?")[0]
    found = [
        (template.count("{"), name, shown)
        for name, (template, method, shown) in OPERATIONS.items()
        if method.upper() == request.method
        and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path)
    ]
    assert found, f"no operation for {request.method} {path}"
    _, name, shown = min(found, key=lambda one: one[0])
    return name, shown


def validate(value: Any, schema: dict[str, Any]) -> None:
    """Raises ValidationError; formats count too."""
    Draft202012Validator(
        {**schema, "components": DOCUMENT["components"]},
        format_checker=Draft202012Validator.FORMAT_CHECKER,
    ).validate(value)


class Documented(httpx.AsyncHTTPTransport):
    """Sends requests, and insists that each answer is one of those that the document has for the
    operation.
    """

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await super().handle_async_request(request)
        await response.aread()
        name, shown = operation_of(request)
        assert str(response.status_code) in shown["responses"], (name, response.status_code)
        content = resolved(shown["responses"][str(response.status_code)]).get("content", {})
        kind = response.headers.get("Content-Type", "").partition(";")[0]
        assert (kind in content) if content else not response.content, (name, kind)
        if content:
            validate(response.json(), content[kind]["schema"])
        for header in resolved(shown["responses"][str(response.status_code)]).get("headers", {}):
            assert header in response.headers, (name, header)
        return response
