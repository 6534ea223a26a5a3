"""The OpenAPI document as schemathesis reads it, and how answers are held against it."""

import json
import warnings
from typing import Any

from hypothesis import HealthCheck, Phase, settings

from notistream.web.openapi.text import text

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import schemathesis
    from schemathesis import GenerationMode
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi import checks

__all__ = ["GENERATED", "GenerationMode", "check", "schema", "told"]

SOCKETS = {"/ws", "/api/v1/inbox/stream"}
"""A WebSocket is not opened by a plain request; see test_realtime_sockets.py."""
CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
]
"""Not positive_data_acceptance: numbers, addresses and templates have rules that no schema can say
(they are 422). Not ignored_auth: its wrong keys lead to the lock-out, which test_walls.py shows.
"""
EXCLUDED = {
    f"/api/v1/notifications/{many}": [checks.negative_data_rejection] for many in ("batch", "bulk")
}
"""Each of their items is answered on its own, inside a 202."""
GENERATED = settings(
    database=None, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate]
)


def schema() -> Any:
    """Every operation but the WebSockets."""
    document = json.loads(text())
    document["paths"] = {path: of for path, of in document["paths"].items() if path not in SOCKETS}
    return schemathesis.openapi.from_dict(document)


def check(case: Any, response: Any) -> None:
    """Raises what the answer breaks of the document."""
    case.validate_response(
        response, checks=CHECKS, excluded_checks=EXCLUDED.get(case.operation.path)
    )


def told(exc: BaseException) -> str:
    """What failed, without the way there; several failures come as a group."""
    return (
        "\n".join(map(told, exc.exceptions))
        if isinstance(exc, BaseExceptionGroup)
        else str(exc)[:2000]
    )
