"""Every operation of the OpenAPI document with data that fits its schema and data that does not: the document holds."""

import asyncio
import json
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from notistream.web import openapi
from tests.fuzz.conftest import EXAMPLES, PATIENCE_S, Target

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import schemathesis
    from schemathesis import GenerationMode
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi import checks

pytestmark = [pytest.mark.integration, pytest.mark.timeout(PATIENCE_S), pytest.mark.filterwarnings("ignore")]

SOCKETS = {"/ws", "/api/v1/inbox/stream"}
"""A WebSocket is not opened by a plain request; see test_realtime_sockets.py."""
CHECKS = [
    not_a_server_error, checks.status_code_conformance, checks.content_type_conformance,
    checks.response_headers_conformance, checks.response_schema_conformance, checks.negative_data_rejection,
]
"""Not positive_data_acceptance: numbers, addresses and templates have rules that no schema can say (they are 422).
Not ignored_auth: its wrong keys lead to the lock-out, which test_walls.py shows."""
EXCLUDED = {
    f"/api/v1/notifications/{many}": [checks.negative_data_rejection] for many in ("batch", "bulk")}
"""Each of their items is answered on its own, inside a 202."""


async def test_every_operation_keeps_to_the_document(target: Target) -> None:
    failures = await asyncio.to_thread(lambda: list(misuse(target)))
    assert not failures, f"{len(failures)} operations:\n\n" + "\n\n".join(failures)


def misuse(target: Target) -> Iterator[str]:
    document = json.loads(openapi.main([]))
    for result in schemathesis.openapi.from_dict(document).get_all_operations():
        operation = result.ok()
        if operation.path in SOCKETS:
            continue
        for mode in GenerationMode:
            try:
                examples(operation, mode, target)
            except (Exception, BaseExceptionGroup) as exc:  # noqa: BLE001 - all are shown at the end
                yield f"{operation.method.upper()} {operation.path} ({mode.value} data)\n{told(exc)}"


def told(exc: BaseException) -> str:
    """What failed, without the way there; several failures come as a group."""
    return "\n".join(map(told, exc.exceptions)) if isinstance(exc, BaseExceptionGroup) else str(exc)[:2000]


def examples(operation: Any, mode: GenerationMode, target: Target) -> None:
    """As many examples as there are in this mode; an operation without any input cannot get wrong input."""

    @seed(20_250_101)
    @settings(
        max_examples=EXAMPLES, database=None, deadline=None, suppress_health_check=list(HealthCheck),
        phases=[Phase.generate])
    @given(case=operation.as_strategy(generation_mode=mode))
    def one(case: Any) -> None:
        response = case.call(base_url=target.process.url, headers=target.headers, timeout=30)
        case.validate_response(response, checks=CHECKS, excluded_checks=EXCLUDED.get(operation.path))

    try:
        one()
    except Exception as exc:
        if mode is GenerationMode.NEGATIVE and "Unsatisfiable" in type(exc).__name__:
            return
        raise
