"""The OpenAPI 3.1 document, made from rows of the route table."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson
from pydantic import TypeAdapter
from pydantic.json_schema import JsonSchemaMode

from notistream import __version__, errors
from notistream.errors import FieldError, NotiStreamError
from notistream.web.server import problems
from notistream.web.server.problems import Problem
from notistream.web.server.respond import dump
from notistream.web.server.route import Answer, Content, Operation, Parameter, Route

REF = "#/components/schemas/{model}"
PATH_PARAMETER = re.compile(r"\{(\w+)\}")
KINDS: Mapping[int, type[NotiStreamError]] = {
    400: errors.UnreadableBody,
    401: errors.Unauthorized,
    403: errors.CallbackRefused,
    404: errors.NotFound,
    408: errors.BodyTooSlow,
    409: errors.Conflict,
    413: errors.BodyTooLarge,
    415: errors.UnsupportedMediaType,
    422: errors.InvalidRequest,
    426: errors.UpgradeRequired,
    429: errors.TooManyRequests,
    503: errors.Unavailable,
}
ABOUT = (
    "One HTTP request per notification; delivery by SMS, e-mail, push or in-app happens in the"
    " background. Errors are RFC 9457 problems. Send `X-Correlation-ID` and W3C `traceparent` to"
    " follow a request through."
)
TAGS = {
    "Notifications": "Send, follow and cancel.",
    "Templates": "Texts with variables.",
    "Recipients": "Contacts, what they wish for, and addresses that must not be sent to.",
    "Real time": "Inboxes, status updates and the tokens that let browsers in.",
    "Webhooks": "Your endpoints, which receive events of notifications.",
    "Operations": "Probes, figures and this document.",
    "Tenants": "For operators, with the admin token: tenants and their API keys.",
    "Administration": "For operators, with the admin token: dead letters and replays.",
}
CORRELATION = {
    "name": "X-Correlation-ID",
    "in": "header",
    "description": (
        "1 to 128 printable ASCII characters; comes back in the "
        "answer, and is made up where it is missing or anything else."
    ),
    "schema": {"type": "string"},
}
IDEMPOTENCY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": (
        "A repeated request with the same key and body gets the first answer again"
        " (`Idempotency-Replayed: true`); with another body 422; while the first is served 409."
    ),
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
}

SECURITY = {
    "apiKey": {
        "type": "apiKey",
        "in": "header",
        "name": "X-API-Key",
        "description": "A tenant's key; not needed while the server runs with AUTH=off.",
    },
    "recipientToken": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": (
            "A recipient's token from POST /api/v1/ws-token. WebSockets also take it as the"
            " subprotocol `notistream.token.<token>`, offered beside `notistream.v1`, or as"
            " `?token=`."
        ),
    },
    "adminToken": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Admin-Token",
        "description": (
            "The operator's token (NOTISTREAM_ADMIN_TOKEN); needed with AUTH=off too. `make run`"
            " keeps one in .local/admin-token."
        ),
    },
}


def document(routes: Sequence[Route]) -> Mapping[str, Any]:
    """The document as JSON-ready values."""
    documented = [(route, route.operation) for route in routes if route.operation]
    refs, schemas = _schemas([operation for _, operation in documented])
    paths: dict[str, dict[str, Any]] = {}
    for route, operation in documented:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, operation, refs)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "NotiStream",
            "version": __version__,
            "description": ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": about} for name, about in TAGS.items()],
        "security": [{"apiKey": []}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "parameters": {"correlationId": CORRELATION, "idempotencyKey": IDEMPOTENCY},
            "responses": {str(status): _problem(kind, refs) for status, kind in KINDS.items()},
            "securitySchemes": SECURITY,
        },
    }


Refs = Mapping[tuple[int, JsonSchemaMode], Mapping[str, Any]]


def _schemas(operations: Sequence[Operation]) -> tuple[Refs, Mapping[str, Any]]:
    """Where each type is found, by its identity, and all definitions."""
    inputs = {
        (id(kind), mode): (kind, mode)
        for operation in operations
        for kind, mode in _types(operation)
    }
    refs, definitions = TypeAdapter.json_schemas(
        [(key[0], mode, TypeAdapter(kind)) for key, (kind, mode) in inputs.items()],
        ref_template=REF,
    )
    return refs, _untitled(definitions["$defs"])


def _types(operation: Operation) -> Iterator[tuple[Any, JsonSchemaMode]]:
    yield Problem, "serialization"
    if operation.body:
        yield operation.body.type, "validation"
    for answer in operation.answers.values():
        if answer.content:
            yield answer.content.type, "serialization"


def _untitled(schema: Any) -> Any:
    """Without the titles that pydantic makes from field names, and that say nothing more."""
    if isinstance(schema, list):
        return [_untitled(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {k: _untitled(v) for k, v in schema.items() if not (k == "title" and isinstance(v, str))}


def _operation(route: Route, operation: Operation, refs: Refs) -> Mapping[str, Any]:
    shown: dict[str, Any] = {
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": operation.summary,
        "parameters": [
            *_path_parameters(route.path, operation.path),
            *(_parameter(p, "query") for p in operation.query),
            *(_parameter(p, "header") for p in operation.headers),
        ],
        "responses": {str(status): _answer(a, refs) for status, a in operation.answers.items()},
    }
    if operation.description:
        shown["description"] = operation.description
    if operation.idempotent:
        shown["parameters"].append({"$ref": "#/components/parameters/idempotencyKey"})
    if route.public:
        shown["security"] = []
    else:
        shown["parameters"].append({"$ref": "#/components/parameters/correlationId"})
    if route.token:
        shown["security"] = [{"apiKey": []}, {"recipientToken": []}]
    if route.admin:
        shown["security"] = [{"adminToken": []}]
    if operation.body:
        shown["requestBody"] = {
            "required": operation.body.required,
            "content": _content(operation.body, "validation", refs),
        }
    for status in sorted(operation.problems):
        shown["responses"][str(status)] = {"$ref": f"#/components/responses/{status}"}
    return shown


def _path_parameters(path: str, described: Sequence[Parameter]) -> list[Mapping[str, Any]]:
    shown = {parameter.name: _parameter(parameter, "path") for parameter in described}
    return [
        {
            "name": name,
            "in": "path",
            "schema": {"type": "string", "format": "uuid"},
            **shown.get(name, {}),
            "required": True,
        }
        for name in PATH_PARAMETER.findall(path)
    ]


def _parameter(parameter: Parameter, place: str) -> Mapping[str, Any]:
    return {
        "name": parameter.name,
        "in": place,
        "description": parameter.description,
        "schema": parameter.schema,
    }


def _answer(answer: Answer, refs: Refs) -> Mapping[str, Any]:
    shown: dict[str, Any] = {"description": answer.description}
    if answer.content:
        shown["content"] = _content(answer.content, "serialization", refs)
    elif answer.media_type:
        kind = "object" if answer.media_type.endswith("json") else "string"
        shown["content"] = {answer.media_type: {"schema": {"type": kind}}}
    if answer.headers:
        shown["headers"] = {
            name: {"description": about, "schema": {"type": "string"}}
            for name, about in answer.headers.items()
        }
    return shown


def _content(content: Content, mode: JsonSchemaMode, refs: Refs) -> Mapping[str, Any]:
    examples = {
        name.replace(" ", "_").replace(",", ""): {
            "summary": name,
            "value": orjson.loads(dump(value)),
        }
        for name, value in content.examples.items()
    }
    return {"application/json": {"schema": refs[id(content.type), mode], "examples": examples}}


def _problem(kind: type[NotiStreamError], refs: Refs) -> Mapping[str, Any]:
    error = (
        errors.InvalidRequest([FieldError("/recipient", "must be a phone number in E.164 form")])
        if kind is errors.InvalidRequest
        else kind()
    )
    example = orjson.loads(
        dump(problems.problem(error, trace_id="4bf92f3577b34da6a3ce929d0e0e4736"))
    )
    return {
        "description": error.title,
        "content": {
            problems.MEDIA_TYPE: {"schema": refs[id(Problem), "serialization"], "example": example}
        },
    }
